"""`apt upgrade` from one JupyterHub to the next, whose database has another schema, while people work."""

import pytest

from tests.machines.earlier import Earlier
from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.places import wait_for
from tests.machines.pressure import lesson

from conftest import Machines, finish

ON_ANY_RELEASE = True

PASSWORD = "a first password"
SITE = "/opt/tljh/hub/lib/python3*/site-packages"
#: Imports and reads when it is asked, and tells which version it found.
LAZY = """
from jupyterhub.handlers import BaseHandler

class Lazy(BaseHandler):
    def get(self):
        import importlib.metadata, runpy
        module = runpy.run_module("jupyterhub._version")
        self.write({"found": importlib.metadata.version("jupyterhub"), "is": module["__version__"]})

c.JupyterHub.extra_handlers = [("/lazy", Lazy)]
"""
PYTHON = "/opt/tljh/hub/bin/python"
DATABASE = 'import sqlite3; print(*sqlite3.connect("/var/lib/tljh/jupyterhub.sqlite").execute("{}").fetchall())'
SCHEMA = DATABASE.format("select version_num from alembic_version")
#: What the hub has written down of servers that it starts.
KNOWN = DATABASE.format("select state from spawners")


@pytest.fixture(scope="module")
def earlier(suite):
    both = Earlier(suite)
    yield both
    both.repository.close()


@pytest.fixture
def classroom(request, suite, earlier):
    """A machine with the earlier version, which knows of the newer one."""
    made = Machines(suite, earlier.repository)
    machine = made.installed(earlier.packages)
    machine.run("apt-get -q update")
    yield machine
    finish(request, made)


def teacher_of(machine):
    return HubClient(machine.url, "admin").login(read_admin_password(machine))


def students_of(machine, *names):
    """Logged in, with no server yet."""
    teacher = teacher_of(machine)
    for name in names:
        teacher.add_user(name)
    return [HubClient(machine.url, name).login(PASSWORD) for name in names]


def hub_version(machine):
    return HubClient(machine.url, "stranger").request("GET", "/hub/api/").json()["version"]


def schema(machine):
    return machine.output([PYTHON, "-c", SCHEMA])


def on_disk(machine, prefix=""):
    """The version of the JupyterHub whose files are in place."""
    found = machine.output(f"{prefix} sh -c 'ls -d {SITE}/jupyterhub-*.dist-info'")
    return found.split("/jupyterhub-")[-1].removesuffix(".dist-info")


def seen_by_the_hub(machine):
    """The same, as the hub's process finds it."""
    return on_disk(machine, "nsenter --target $(systemctl show -P MainPID jupyterhub) --mount")


def test_people_at_work_notice_no_upgrade_to_another_jupyterhub(classroom, earlier, capsys):
    ann, ben, cleo = students_of(classroom, "ann", "ben", "cleo")
    for person in (ann, ben):
        person.start_server()
    computing = ann.start_kernel()
    held = computing.connect(timeout=600)
    waiting = HubClient(classroom.url, "ben")
    waiting.request("GET", "/hub/login")
    before = hub_version(classroom), schema(classroom)
    assert before[0] == earlier.hub

    pressure = lesson(classroom.url, (ann, ben), [cleo], PASSWORD)
    result = []
    counting = "import os, time\nn = 0\nwhile not os.path.exists('enough'):\n    print(n)\n    n += 1\n    time.sleep(0.1)"
    pressure.add("computation", lambda: result.append(computing.run_over(held, counting)), goes_on=False)
    with pressure:
        pressure.wait_for("spawn", 1)
        pressure.wait_for("login", 2)
        said = classroom.run("apt-get -q -y upgrade", timeout=900)
        # With the new hub too.
        pressure.wait_for("spawn", 2)
        pressure.wait_for("login to a server", 2)
        classroom.run("touch /home/jupyter-ann/enough")
    with capsys.disabled():
        print(f"\nupgrade from JupyterHub {earlier.hub} to {hub_version(classroom)} while people work")
        for kind, counts in sorted(pressure.counts.items()):
            print(f"  {kind}: {counts.made} made, {len(counts.failed)} failed, longest {counts.longest:.2f} s")
    assert {kind: counts.failed for kind, counts in pressure.counts.items() if counts.failed} == {}, said.stdout
    lines = result[0].split()
    assert lines == [str(number) for number in range(len(lines))]
    # The form that was opened at the old hub is taken by the new one.
    answer = waiting.request("POST", "/hub/login?next=%2Fhub%2Fhome", form={
        "username": "ben", "password": PASSWORD, "_xsrf": waiting.xsrf(),
    })
    assert (answer.status, answer.url.endswith("/hub/home")) == (200, True), answer.text
    after = hub_version(classroom), schema(classroom)
    assert after[0] == on_disk(classroom)
    assert before[0] != after[0] and before[1] != after[1]
    assert earlier.version not in classroom.output("dpkg-query --show 'tljh*'")
    assert classroom.output("dpkg --verify tljh tljh-hub tljh-config tljh-user-env tljh-proxy") == ""
    # What the old hub held is gone.
    assert classroom.output("ls /opt/tljh/.hub | wc -l") == "1"


def test_a_hub_uses_its_own_files_while_those_of_the_next_are_unpacked(classroom, earlier):
    classroom.write("/etc/tljh/jupyterhub_config.d/lazy.py", LAZY)
    classroom.run("systemctl restart jupyterhub")
    wait_for_login_page(classroom)
    teacher = teacher_of(classroom)
    script = teacher.request("GET", "/hub/static/js/admin-react.js").text
    classroom.run("cd /var/tmp && apt-get -q download tljh-hub && dpkg --unpack tljh-hub_*.deb")
    newer = on_disk(classroom)
    assert newer != earlier.hub
    assert seen_by_the_hub(classroom) == earlier.hub
    lazy = teacher.request("GET", "/hub/lazy")
    assert (lazy.status, lazy.json()) == (200, {"found": earlier.hub, "is": earlier.hub}), lazy.text
    # Pages that nobody has asked for yet, and a file.
    for page in ("/hub/token", "/hub/admin", "/hub/spawn"):
        assert teacher.request("GET", page).status == 200, page
    assert teacher.request("GET", "/hub/static/js/admin-react.js").text == script
    # User servers are not in the hub's world, and nothing changes for them. The last of these pages has started one.
    wait_for(teacher.server_ready, 120, "the teacher's server")
    assert teacher.start_kernel().run(f"import glob; print(glob.glob('{SITE}/jupyterhub-{newer}.dist-info') != [])") == "True\n"
    # A hub that starts before the unpacking has ended gets one version too.
    state = "sed -i '/^Package: tljh-hub$/,/^$/ s/^Status: .*/Status: install reinstreq {}/' /var/lib/dpkg/status"
    classroom.run(state.format("half-installed"))
    before = classroom.output("systemctl show -P MainPID jupyterhub")
    classroom.run(f"kill -KILL {before}")
    classroom.wait_for(f"test $(systemctl show -P MainPID jupyterhub) != {before} && systemctl is-active jupyterhub", 60)
    wait_for_login_page(classroom)
    assert (hub_version(classroom), seen_by_the_hub(classroom)) == (earlier.hub, earlier.hub)
    classroom.run(state.format("unpacked").replace("reinstreq", "ok"))
    classroom.run("apt-get -q -y --fix-broken install && apt-get -q -y upgrade", timeout=900)
    wait_for_login_page(classroom)
    assert (hub_version(classroom), seen_by_the_hub(classroom)) == (newer, newer)
    assert classroom.output("ls /opt/tljh/.hub | wc -l") == "1"


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_server_that_is_being_started_when_its_hub_ends_is_the_next_hubs(machines, signal):
    machine = machines.installed()
    (ann,) = students_of(machine, "ann")
    hub = machine.output("systemctl show -P MainPID jupyterhub")
    # In the background: a killed hub answers nobody.
    starting = machine.start(["curl", "-s", "-X", "POST", "-H", f"Authorization: token {ann.token}",
                              f"http://127.0.0.1/hub/api/{ann.server_path()}"])
    machine.wait_for(f"{PYTHON} -c '{KNOWN}' | grep -q jupyter-ann", 60)
    unit = machine.output("systemctl show -P InvocationID jupyter-ann")
    machine.run(f"kill -{signal} {hub}")
    machine.wait_for(f"test $(systemctl show -P MainPID jupyterhub) != {hub} && systemctl is-active jupyterhub", 90)
    starting.wait(60)
    wait_for_login_page(machine)
    wait_for(ann.server_ready, 150, "the server of ann", 0.3)
    assert machine.output("systemctl show -P InvocationID jupyter-ann") == unit != ""
    assert ann.start_kernel().run("print(6 * 7)") == "42\n"
