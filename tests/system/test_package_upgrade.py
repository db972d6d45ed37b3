"""A newer tljh during a lesson, and another Python of the system: the user environment follows, and keeps what is theirs."""

import json

import pytest

from tests.machines.environment import active, wait_until_settled
from tests.machines.hub_client import HubClient
from tests.machines.install import wait_for_login_page
from tests.user_env.wheels import make_wheel

ON_ANY_RELEASE = True

PASSWORD = "a first password"


@pytest.fixture(scope="module")
def student(shared, teacher):
    teacher.add_user("pupil")
    client = HubClient(shared.url, "pupil").login(PASSWORD)
    client.start_server()
    return client


def versions(machine):
    listed = json.loads(machine.output("tljh-user-env list --json"))
    return {package["name"]: package["version"] for package in listed["packages"]}


def test_a_newer_package_moves_the_defaults_while_a_lesson_goes_on(shared, student, newer):
    index = shared.root / "srv/wheels"
    make_wheel(index, "lesson", "1.0")
    shared.run("/opt/tljh/user/bin/pip install --no-index --find-links /srv/wheels lesson", environment={"PIP_ROOT_USER_ACTION": "ignore"})
    kernel = student.start_kernel()
    kernel.run("held = 42")
    before, generation = versions(shared), active(shared)
    packages = newer(1)
    for name in ("jupyterhub", "ipywidgets"):
        packages.bundle.renew(name, "100.0")
    said = packages.install(shared)
    assert "~ ipywidgets" in said and f"generation {generation + 1} is active" in said, said
    assert versions(shared) == {**before, "jupyterhub": "100.0", "ipywidgets": "100.0"}
    wait_for_login_page(shared)
    assert kernel.run("import ipywidgets; print(held)") == "42\n"
    assert student.start_kernel().run("from importlib.metadata import version; print(version('ipywidgets'))") == "100.0\n"
    # Once more, with nothing new.
    assert "generation" not in shared.run("dpkg-reconfigure -fnoninteractive tljh", timeout=300).stderr
    assert active(shared) == generation + 1


def test_a_package_whose_bundle_does_not_work_leaves_the_environment_and_apt_succeeds(shared, student, newer):
    before, generation = versions(shared), active(shared)
    packages = newer(2)
    packages.bundle.renew("ipywidgets", "101.0")
    wheel = packages.bundle.wheel("ipywidgets")
    wheel.write_bytes(wheel.read_bytes()[:5000])
    said = packages.install(shared)
    assert "the user environment stays as it is" in said and "sudo tljh-user-env upgrade --defaults" in said, said
    assert shared.output("dpkg --audit") == ""
    assert (versions(shared), active(shared)) == (before, generation)
    wait_for_login_page(shared)
    # Not at each start of the hub.
    shared.run("systemctl restart jupyterhub")
    wait_for_login_page(shared)
    assert active(shared) == generation
    student.stop_server()
    student.start_server()
    assert student.start_kernel().run("import lesson; print(lesson.VERSION)") == "1.0\n"


def test_the_next_package_whose_bundle_works_is_taken_up(shared, newer):
    generation = active(shared)
    assert f"generation {generation + 1} is active" in newer(3).install(shared)
    assert versions(shared)["lesson"] == "1.0"


def test_an_environment_of_another_python_is_made_anew_at_the_hubs_start(shared, student):
    make_wheel(shared.root / "srv/wheels", "seminar", "1.0")
    shared.run("/opt/tljh/user/bin/pip install --no-index --find-links /srv/wheels seminar", environment={"PIP_ROOT_USER_ACTION": "ignore"})
    shared.run("mkdir -p /etc/uv")
    shared.write("/etc/uv/uv.toml", "offline = true\n")
    generation, student_had = active(shared), versions(shared)["jupyterlab"]
    # What compiles would make the folder of the old Python again.
    wait_until_settled(shared)
    # As in the image of a machine whose Python was another one.
    shared.run("cd /opt/tljh/user/lib && mv python3.* python3.4 && systemctl restart jupyterhub")
    shared.wait_for(f"test $(readlink /opt/tljh/user) = generations/{generation + 1}", 300)
    assert versions(shared)["jupyterlab"] == student_had
    told = shared.run("tljh-user-env check", user="nobody").stdout
    assert "missing since" in told and "seminar 1.0" in told
    assert "seminar 1.0" in shared.output("journalctl -u tljh-user-env-python")
    wait_for_login_page(shared)
    student.stop_server()
    student.start_server()
    assert student.start_kernel().run("print(6 * 7)") == "42\n"
    shared.write("/etc/uv/uv.toml", 'offline = true\nfind-links = ["/srv/wheels"]\n')
    shared.run("tljh-user-env upgrade-python", timeout=600)
    assert student.start_kernel().run("import seminar; print(seminar.VERSION)") == "1.0\n"


def test_dpkgs_trigger_and_the_hubs_start_ask_whether_the_systems_python_has_changed(shared):
    def asked():
        return shared.output("systemctl show tljh-user-env-python -p ExecMainExitTimestampMonotonic -p Result --value")

    before = asked()
    shared.run("systemctl restart jupyterhub")
    shared.wait_for(f"test '{before}' != \"$(systemctl show tljh-user-env-python -p ExecMainExitTimestampMonotonic -p Result --value)\"", 60)
    wait_for_login_page(shared)
    before = asked()
    shared.run("apt-get -q -y install --reinstall python3-minimal", timeout=300)
    shared.wait_for(f"test '{before}' != \"$(systemctl show tljh-user-env-python -p ExecMainExitTimestampMonotonic -p Result --value)\"", 60)
    assert "success" in asked()
