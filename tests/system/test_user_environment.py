"""The teacher changes everybody's packages during a lesson, goes back, and mends what was broken by hand."""

import json
import os
import shutil

import pytest

from tests.machines.environment import active, wait_until_settled
from tests.machines.hub_client import HubClient
from tests.machines.install import wait_for_login_page
from tests.user_env.wheels import make_wheel

ON_ANY_RELEASE = True

PASSWORD = "a first password"
INDEX = "/srv/index"
ADMINS = "root:jupyterhub-admins"


@pytest.fixture(scope="module")
def index(shared):
    """Puts `lesson` of a version into the machine's own index, which `tljh-user-env` knows by uv's configuration."""
    folder = shared.root / INDEX.lstrip("/")
    page = folder / "simple/lesson/index.html"
    page.parent.mkdir(parents=True)
    shared.run(f"systemd-run --unit=index python3 -m http.server 8099 --bind 127.0.0.1 --directory {INDEX}")
    shared.run("mkdir -p /etc/uv")
    shared.write("/etc/uv/uv.toml", '[[index]]\nurl = "http://127.0.0.1:8099/simple"\ndefault = true\n')

    def publish(version):
        wheel = make_wheel(folder / "files", "lesson", version, {"lesson/late.py": f"VERSION = {version!r}\n"})
        with page.open("a") as links:
            links.write(f'<a href="/files/{wheel.name}">{wheel.name}</a>\n')

    return publish


@pytest.fixture(scope="module")
def student(shared, teacher):
    teacher.add_user("pupil")
    client = HubClient(shared.url, "pupil").login(PASSWORD)
    client.start_server()
    return client


@pytest.fixture(scope="module")
def desk(teacher):
    """A kernel of the teacher's, who types `!sudo ...` into a cell."""
    teacher.start_server()
    kernel = teacher.start_kernel()

    def run(command):
        told = kernel.run(
            "import json, subprocess\n"
            f"done = subprocess.run({command!r}, shell=True, capture_output=True, text=True)\n"
            "print(json.dumps([done.returncode, done.stdout, done.stderr]))", timeout=600,
        )
        return json.loads(told)

    return run


def assert_rights(machine):
    """Admins may write everywhere in the active generation, students nowhere."""
    machine.run("find /opt/tljh/user/ -type d ! -perm -2775 -o -type f ! -perm -0444 | (! grep .)")
    folders = "/opt/tljh/user /opt/tljh/user/lib /opt/tljh/user/bin"
    assert machine.output(f"stat -L -c %U:%G {folders}").split() == [ADMINS] * 3
    assert machine.output("stat -c '%U:%G %a' /opt/tljh/generations") == "root:root 755"
    assert machine.output("find /opt/tljh -ignore_readdir_race ! -readable -prune -o -writable ! -type l -print", user="jupyter-pupil") == ""


def test_the_teacher_installs_while_a_kernel_runs_which_is_not_disturbed(shared, index, student, desk):
    index("1.0")
    code, printed, said = desk("sudo tljh-user-env install --json 'lesson<2'")
    assert code == 0, said
    first = json.loads(printed)["generation"]
    assert active(shared) == first
    old = student.start_kernel()
    assert old.run("import lesson; print(lesson.VERSION)") == "1.0\n"
    index("2.0")
    code, printed, said = desk("sudo tljh-user-env upgrade --yes lesson")
    assert code == 0, said
    assert active(shared) == first + 1
    # A module that it had not imported yet.
    assert old.run("import lesson.late; print(lesson.late.VERSION)") == "1.0\n"
    assert student.start_kernel().run("import lesson.late; print(lesson.late.VERSION)") == "2.0\n"
    assert_rights(shared)
    record = json.loads(shared.output(f"cat /opt/tljh/generations/{first + 1}.json", user="jupyter-pupil"))
    assert (record["by"], record["parent"]) == ("jupyter-admin", first)


def test_rollback_brings_the_earlier_version_to_new_kernels(shared, student, desk):
    before = active(shared)
    code, _, said = desk("sudo tljh-user-env rollback")
    assert code == 0, said
    assert active(shared) == before - 1
    assert student.start_kernel().run("import lesson; print(lesson.VERSION)") == "1.0\n"
    assert desk("tljh-user-env check")[0] == 0


def test_pip_by_hand_works_as_ever_and_is_told(shared, index, student, desk):
    index("3.0")
    # The copy that a repair goes back to is made beside the lesson.
    wait_until_settled(shared)
    shared.run(f"test -d /opt/tljh/generations/.private/sealed/{active(shared)}")
    code, _, said = desk("pip install --no-deps --index-url http://127.0.0.1:8099/simple lesson==3.0")
    assert code == 0, said
    assert student.start_kernel().run("import lesson; print(lesson.VERSION)") == "3.0\n"
    told = json.loads(desk("tljh-user-env check --json")[1])
    assert told["by_hand"] == [{"name": "lesson", "before": "1.0", "after": "3.0"}]
    assert_rights(shared)


def test_an_environment_that_was_broken_by_hand_is_repaired(shared, student, desk):
    student.stop_server()
    assert desk("rm -rf /opt/tljh/user/lib/python3*/site-packages/jupyter_server")[0] == 0
    code, told, said = desk("tljh-user-env check")
    assert code == 1 and "`jupyter-server` are missing" in told and "sudo tljh-user-env repair" in said
    shared.run("tljh-user-env repair", timeout=600)
    assert shared.run("tljh-user-env check", user="nobody").returncode == 0
    student.start_server()
    # What was installed by hand went with what was broken by hand.
    assert student.start_kernel().run("import lesson; print(lesson.VERSION)") == "1.0\n"
    assert_rights(shared)


def test_a_compilation_that_a_reboot_interrupted_goes_on_with_the_hub(shared):
    bytecode = "/opt/tljh/user/lib/python3*/site-packages/jupyterlab/__pycache__"
    for mark in (".unsettled", ".settling"):
        wait_until_settled(shared)
        shared.run(f"test -d {bytecode}")
        # As it is found after a reboot in the midst of it.
        shared.run(f"rm -r {bytecode} && touch /opt/tljh/generations/{mark} && systemctl restart jupyterhub")
    wait_until_settled(shared)
    shared.run(f"test -d {bytecode}")
    wait_for_login_page(shared)


def test_purge_takes_the_generations_away(shared):
    shared.run("systemctl stop index")
    shared.run("apt-get -q -y purge tljh", timeout=300)
    assert os.listdir(shared.root / "opt/tljh") == ["hub"]
    shutil.rmtree(shared.root / "etc/uv")
