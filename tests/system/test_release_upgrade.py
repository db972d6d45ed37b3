"""Debian's own upgrade from bookworm to trixie, with another Python, on a machine where a class works."""

import json
import re
import threading

import pytest

from tests.machines.dist_upgrade import accounts, failed_units, files_of, packages, steps
from tests.machines.environment import wait_until_settled
from tests.machines.hub_client import HubClient
from tests.machines.install import SOURCES, read_admin_password, wait_for_login_page
from tests.machines.places import PROJECT, suites, wait_for
from tests.machines.pressure import Pressure
from tests.user_env.wheels import make_wheel

import purging

OLD, NEW = "bookworm", "trixie"
RELEASES = [OLD]
pytestmark = pytest.mark.skipif(not {OLD, NEW} <= set(suites()), reason="SUITES does not name both bookworm and trixie")

PASSWORD = "a first password"
WHEELS = "/srv/wheels"
INDEX = f'[[index]]\nurl = "{WHEELS}"\nformat = "flat"\ndefault = true\n'
UNREACHABLE = '[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n'
SNIPPET = "c.Spawner.environment = {'COURSE': 'biology'}\n"
LOCK = PROJECT / "packaging/user-env/requirements.txt"
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
# Seconds between two of the same kind: what is measured should not be what slows apt down.
PAUSE, LOGIN_PAUSE = 0.5, 5.0


class Class:
    """The people, and what they have before the upgrade."""

    def __init__(self, machine):
        self.machine = machine
        self.passwords = {"admin": read_admin_password(machine), "ann": PASSWORD, "ben": PASSWORD, "cleo": PASSWORD}
        # Files of compiled modules for the old Python alone, of which one has a newer version for any.
        old = "cp311-cp311-linux_x86_64"
        wheels = machine.root / WHEELS.lstrip("/")
        for name, version, tag in (("lesson", "1.0", "py3-none-any"), ("lesson", "2.0", "py3-none-any"),
                                   ("byhand", "1.0", "py3-none-any"), ("byhand", "2.0", "py3-none-any"),
                                   ("bound", "1.0", old), ("bound", "2.0", "py3-none-any"), ("gone", "1.0", old)):
            make_wheel(wheels, name, version, tag=tag)
        machine.run("mkdir -p /etc/uv")
        machine.write("/etc/uv/uv.toml", INDEX)
        machine.run("tljh-user-env install --yes 'lesson<2' 'bound<2' gone", timeout=600)
        machine.run("tljh-user-env remove --yes nbgitpuller", timeout=600)
        machine.run(f"/opt/tljh/user/bin/pip install --no-index --find-links {WHEELS} byhand==1.0",
                    environment={"PIP_ROOT_USER_ACTION": "ignore"})
        machine.run("tljh-user-env create stats --display-name Statistics 'lesson<2'", timeout=600)
        # The upgrade takes longer than an idle server is left running.
        machine.run("tljh-config set services.cull.enabled false && tljh-config set limits.memory 3G")
        machine.write("/etc/tljh/jupyterhub_config.d/course.py", SNIPPET)
        machine.run("tljh-config reload", timeout=120)
        wait_for_login_page(machine)
        teacher = self.log_in("admin")
        for name in ("ann", "ben", "cleo"):
            teacher.add_user(name)
        self.people = {"admin": teacher, **{name: self.log_in(name) for name in ("ann", "ben", "cleo")}}
        # Each gets an account with the first server.
        self.people["cleo"].start_server()
        self.people["cleo"].stop_server()
        teacher.start_server()
        for name in ("ann", "ben"):
            self.people[name].start_server()
            self.people[name].start_kernel().run(
                f"import os; os.makedirs('work/deep'); print('of {name}', file=open('work/deep/notes.txt', 'w'))")
        wait_until_settled(machine)
        self.packages = versions(machine)
        self.state = self.look()

    def log_in(self, name):
        return HubClient(self.machine.url, name).login(self.passwords[name])

    def look(self):
        """What no upgrade may change."""
        homes = [files_of(self.machine, f"/home/jupyter-{name}/work") for name in ("ann", "ben")]
        return homes, files_of(self.machine, "/etc/tljh"), accounts(self.machine)


def versions(machine):
    listed = json.loads(machine.output("tljh-user-env list --json"))
    return {package["name"]: package["version"] for package in listed["packages"]}


def missing(machine):
    return sorted(json.loads(machine.run("tljh-user-env check --json", check=False).stdout)["missing"])


def python_of(machine, unit):
    return machine.output(f"readlink /proc/$(systemctl show -P MainPID {unit})/exe")


def wait_for_python_upgrade(machine):
    """Until the user environment has followed the system's Python, or could not."""
    machine.wait_for("systemctl show -P ActiveState tljh-user-env-python | grep -E 'inactive|failed'", 600)
    assert machine.output("systemctl show -P Result tljh-user-env-python") == "success"


@pytest.fixture(scope="module")
def classroom(shared):
    return Class(shared)


def test_servers_that_are_started_and_stopped_while_systemd_is_replaced_wait_for_it(shared, classroom):
    cleo = classroom.people["cleo"]
    # An upgrade removes the library of systemd's programs seconds before the next one comes.
    library = shared.output("ls /usr/lib/*/systemd/libsystemd-shared-*.so")
    for step in (cleo.start_server, cleo.stop_server):
        shared.run(f"mv {library} /root/library && mv /usr/bin/systemd-run /root/systemd-run")
        shared.write("/usr/bin/systemd-run", "#!/bin/sh\ntouch /root/asked\nexit 127\n", 0o755)
        working = threading.Thread(target=step)
        working.start()
        shared.wait_for("test -e /root/asked", 60)
        shared.run(f"mv /root/systemd-run /usr/bin/systemd-run && mv /root/library {library} && rm /root/asked")
        working.join(180)
        assert bool(cleo.server()) == (step == cleo.start_server)
    assert shared.output("systemctl is-active jupyter-cleo", check=False) == "inactive"


# A program of systemd's that is there when somebody looks, gone when it is used, and there again afterwards.
FLEETING = """#!/bin/sh
case " $* " in *" {word} "*) mv /root/{program} /usr/bin/{program}; exit 127 ;; esac
exec /root/{program} "$@"
"""


@pytest.mark.parametrize("program, word", [("systemd-run", "--unit"), ("systemctl", "stop")])
def test_a_server_is_started_or_stopped_where_systemds_programs_go_away_just_then(shared, classroom, program, word):
    cleo = classroom.people["cleo"]
    if program == "systemctl":
        cleo.start_server()
    shared.run(f"cp /usr/bin/{program} /root/{program}")
    shared.write(f"/usr/bin/{program}.new", FLEETING.format(program=program, word=word), 0o755)
    shared.run(f"mv /usr/bin/{program}.new /usr/bin/{program}")
    (cleo.stop_server if program == "systemctl" else cleo.start_server)()
    assert shared.run(f"test -e /root/{program}", check=False).returncode == 1
    running = shared.output("systemctl is-active jupyter-cleo", check=False) == "active"
    assert running == bool(cleo.server()) == (program == "systemd-run")
    if running:
        cleo.stop_server()


def test_a_hub_that_is_asked_to_end_hands_over_a_server_that_systemd_could_not_start_yet(shared, classroom):
    cleo = classroom.people["cleo"]
    shared.run("mv /usr/bin/systemd-run /root/systemd-run")
    starting = threading.Thread(target=cleo.start_server)
    starting.start()
    wait_for(lambda: cleo.server(), 60, "a server that is being started", 0.2)
    before = shared.output("systemctl show -P MainPID jupyterhub")
    shared.run("systemctl restart --no-block jupyterhub")
    shared.wait_for("journalctl -u jupyterhub | grep -q 'systemd does not know yet: cleo'", 60)
    shared.run("mv /root/systemd-run /usr/bin/systemd-run")
    starting.join(180)
    assert cleo.server_ready()
    assert shared.output("systemctl show -P MainPID jupyterhub") != before
    cleo.stop_server()


def test_where_apt_knows_no_tljh_for_the_next_release_it_is_not_taken_away_but_said(shared, classroom):
    sources = shared.output(f"grep -rlw {OLD} /etc/apt/sources.list /etc/apt/sources.list.d").split()
    sources.remove(SOURCES)
    shared.run(f"sed -i s/{OLD}/{NEW}/ {' '.join(sources)} && apt-get -q update")
    before, hub = packages(shared), shared.output("systemctl show -P MainPID jupyterhub")
    refused = shared.run("apt-get -q -y full-upgrade", check=False, timeout=900)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "this would take The Littlest JupyterHub away; nothing was done" in said, said
    assert packages(shared) == before and shared.output("dpkg --audit") == ""
    assert shared.output("systemctl show -P MainPID jupyterhub") == hub
    # What it says helps.
    shared.run(re.search(r"^hint: run `sudo (sed .*) && sudo apt update`", said, re.M)[1])
    assert f"Suites: {NEW}" in shared.output(f"cat {SOURCES}").splitlines()


def test_people_work_on_while_debian_is_upgraded(shared, classroom, capsys):
    ann, ben, cleo = (classroom.people[name] for name in ("ann", "ben", "cleo"))
    pressure = Pressure(shared.url)
    for person in (ann, ben):
        pressure.add("hub", lambda person=person: person.request("GET", "/hub/home"), PAUSE)
        pressure.add("server", lambda person=person: person.request("GET", person.user_url() + "api/status"), PAUSE)
        pressure.conversation(person)
    pressure.logins("ann", PASSWORD, LOGIN_PAUSE)
    pressure.spawns(cleo, LOGIN_PAUSE)
    # Kernels that were started before go on with their Python.
    computing = ann.start_kernel()
    computing.run("held = 42")
    servers = shared.output("systemctl show -P InvocationID jupyter-ann jupyter-ben")
    *commands, reboot = steps()
    assert reboot == "reboot"
    with pressure:
        pressure.wait_for("spawn", 1)
        said = "".join(shared.run(command, timeout=1800).stdout for command in commands)
        # With the new hub too.
        pressure.wait_for("spawn", 2)
        pressure.wait_for("login", 2)
    with capsys.disabled():
        print(f"\nrelease upgrade from {OLD} to {NEW} while people work")
        for kind, counts in sorted(pressure.counts.items()):
            print(f"  {kind}: {counts.made} made, {len(counts.failed)} failed, longest {counts.longest:.2f} s")
    assert {kind: counts.failed for kind, counts in pressure.counts.items() if counts.failed} == {}, said
    assert shared.output(". /etc/os-release; echo $VERSION_CODENAME") == NEW
    assert shared.output("systemctl show -P InvocationID jupyter-ann jupyter-ben") == servers
    assert computing.run("print(held)") == "42\n"
    assert shared.output("dpkg --audit") == "" and failed_units(shared) == ""
    assert [version for name, version in packages(shared).items() if name.startswith("tljh") and "+deb13 ii" not in version] == []
    assert python_of(shared, "jupyterhub") == "/usr/bin/python3.13"


def test_the_environment_follows_with_the_same_packages_and_says_what_cannot_be_had(shared, classroom):
    wait_for_python_upgrade(shared)
    # What the lock has for some Pythons alone.
    dependent = set(re.findall(r"^([a-z0-9-]+)==\S+ ; .*python_full_version", LOCK.read_text(), re.M))
    before, now = classroom.packages, versions(shared)
    differing = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    assert differing - dependent == {"bound", "gone"}
    assert (before["bound"], now["bound"]) == ("1.0", "2.0")
    assert missing(shared) == ["gone"]
    assert "gone 1.0" in shared.journal("-u", "tljh-user-env-python")
    # In a server that ran all the time too.
    ann = classroom.people["ann"]
    kernel = ann.start_kernel()
    assert kernel.run(VERSION) == "3.13\n"
    assert kernel.run("import lesson, byhand; print(lesson.VERSION, byhand.VERSION)") == "1.0 1.0\n"
    assert classroom.look() == classroom.state


def test_after_the_reboot_everybody_logs_in_to_what_they_had(shared, classroom):
    # A compilation that goes on is a boot that has not finished.
    wait_until_settled(shared)
    shared.reboot()
    wait_for_login_page(shared)
    assert failed_units(shared) == "" and shared.output("systemctl is-system-running --wait") == "running"
    assert classroom.look() == classroom.state
    for name in classroom.people:
        person = classroom.log_in(name)
        person.start_server()
        kernel = person.start_kernel()
        assert kernel.run(VERSION) == "3.13\n"
        assert kernel.run("import os, lesson; print(lesson.VERSION, os.environ['COURSE'])") == "1.0 biology\n"
        if name in ("ann", "ben"):
            assert kernel.run("print(open('work/deep/notes.txt').read())") == f"of {name}\n\n"
            assert shared.output(f"systemctl show -P MemoryMax jupyter-{name}") == str(3 << 30)
        assert person.kernels()["stats"] == "Statistics"
    assert "/hub/home" not in HubClient(shared.url, "ann").post_login("another password").url


def test_without_an_index_what_comes_with_tljh_serves_and_the_rest_is_completed_later(shared, classroom):
    wait_until_settled(shared)
    shared.run("tljh-user-env rollback", timeout=120)
    assert "python3.11" in shared.output("ls /opt/tljh/user/lib")
    shared.write("/etc/uv/uv.toml", UNREACHABLE)
    done = shared.run("tljh-user-env upgrade-python", timeout=600)
    assert "could not be reached" in done.stderr, done.stderr
    assert missing(shared) == ["bound", "byhand", "gone", "lesson"]
    ben = classroom.log_in("ben")
    assert ben.start_kernel().run(VERSION) == "3.13\n"
    shared.write("/etc/uv/uv.toml", INDEX)
    shared.run("tljh-user-env upgrade-python", timeout=600)
    assert missing(shared) == ["gone"] and versions(shared)["lesson"] == "1.0"


def test_nothing_needs_the_old_python_any_more(shared, classroom):
    shared.run("apt-get -q -y autoremove", timeout=300)
    assert shared.output("ls -d /usr/bin/python3.* /opt/tljh/hub/lib/python3.*").split() == \
        ["/opt/tljh/hub/lib/python3.13", "/usr/bin/python3.13"]
    assert shared.output("tljh-user-env check").splitlines()[-1].endswith("is sound")
    ann = classroom.log_in("ann")
    for name in ("python3", "stats"):
        kernel = ann.start_kernel(name=name)
        assert kernel.run(VERSION) == "3.13\n"
        assert kernel.run("import lesson; print(lesson.VERSION)") == "1.0\n"


def test_purge_leaves_nothing_of_either_release(shared, classroom):
    shared.run("rm -r /etc/uv")
    # As the kernel does it where memory runs out.
    shared.run("systemctl kill --signal KILL jupyter-cleo")
    shared.wait_for("systemctl is-failed jupyter-cleo")
    purging.purge(shared)
    purging.assert_nothing_of_ours_lives(shared)
    assert shared.output("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n' 'tljh*' 2>/dev/null | grep -v un || true") == ""
    assert shared.output("find / -xdev -ignore_readdir_race -nouser") == ""
    # Debian's own records, and what people keep.
    kept = "-path /proc -o -path /sys -o -path /run -o -path /home -o -path /var/log -o -path /var/lib/apt -o -path /var/cache/apt"
    assert shared.output(f"find / -xdev -ignore_readdir_race \\( {kept} \\) -prune -o -name '*tljh*' -print") == ""
