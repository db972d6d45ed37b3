"""The spawner: what it makes of a systemd that does not answer, and of a server that cannot start."""

import itertools

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

PASSWORD = "a first password"
NUMBERS = itertools.count(1)


@pytest.fixture
def student(shared, teacher):
    name = f"pupil{next(NUMBERS)}"
    teacher.add_user(name)
    client = HubClient(shared.url, name).login(PASSWORD)
    yield client
    if client.server():
        client.stop_server()
    teacher.api("DELETE", f"users/{name}")


def test_systemd_that_cannot_be_asked_is_not_taken_for_a_stopped_server(shared, student):
    student.start_server()
    kernel = student.start_kernel()
    kernel.run("held = 42")
    shared.run("mount --bind /bin/false /usr/bin/systemctl")
    try:
        wait_for(
            lambda: f"Could not ask systemd about jupyter-{student.name}" in shared.journal("-u", "jupyterhub"),
            120, "the hub finds that systemd does not answer", 1,
        )
    finally:
        shared.run("umount /usr/bin/systemctl")
    assert student.server_ready()
    assert kernel.run("print(held)") == "42\n"


def test_server_that_ends_at_once_is_reported_with_the_command_that_tells_why(shared, student):
    student.start_server()
    student.stop_server()
    python = shared.output("ls /opt/tljh/user/lib")
    site = f"/home/jupyter-{student.name}/.local/lib/{python}/site-packages"
    shared.run(f"mkdir -p {site} && echo 'raise SystemExit(1)' > {site}/usercustomize.py", user=f"jupyter-{student.name}")
    told = student.refusal()
    shared.run(f"rm -r {site}")
    assert f"sudo journalctl --unit jupyter-{student.name}" in told
    student.start_server()


def test_server_that_was_stopped_in_systemd_is_noticed_by_the_hub(shared, student):
    student.start_server()
    shared.run(f"systemctl stop jupyter-{student.name}.service")
    wait_for(lambda: student.server() is None, 90, "the hub notices", 1)


def test_each_start_hands_the_environment_over_in_a_folder_that_no_user_ever_wrote_to(shared, student):
    def folders():
        return shared.output(f"ls -d /run/jupyter-{student.name}.* 2> /dev/null || true").split()

    student.start_server()
    [first] = folders()
    # Root must not follow this at the next start.
    shared.run(f"rm -f {first}/*.env && ln -s /etc/planted {first}/jupyter-{student.name}.env", user=f"jupyter-{student.name}")
    shared.run(f"systemctl kill --signal=SIGKILL jupyter-{student.name}")
    wait_for(lambda: student.server() is None, 90, "the hub notices", 1)
    student.start_server()
    assert first not in folders()
    assert not (shared.root / "etc/planted").exists()
    student.stop_server()
    wait_for(lambda: folders() == [], 30, "nothing is left")
