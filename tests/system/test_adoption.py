"""`apt install tljh` where upstream's installer was used: taken over, and back again until that is committed."""

import json
import re
import shutil
import textwrap

import pytest

from tests.conda.cpython import own_suite
from tests.machines.hub_client import HubClient
from tests.machines.install import add_repository, http_status, install, wait_for_login_page
from tests.machines.old_database import make_database
from tests.machines.places import PROJECT, wait_for
from tests.machines.upstream import PASSWORDS, upstream_layers, use_conda
from tests.user_env.wheels import make_wheel

import purging

ON_ANY_RELEASE = True

PAGE = PROJECT / "docs/adoption.md"
ASIDE = "/opt/tljh/.upstream"
UPSTREAMS = "/opt/tljh/hub /opt/tljh/config /opt/tljh/state /opt/tljh/user /etc/systemd/system /etc/sudoers.d /usr/bin/tljh-config"


@pytest.fixture
def upstream(machines, suite, repository):
    """A machine of upstream's, with the repository added; its hub serves."""
    machine = machines(layers=upstream_layers(suite, repository))
    wait_for_login_page(machine)
    add_repository(machine)
    return machine


def hub_version(machine):
    return HubClient(machine.url, "").request("GET", "/hub/api").json()["version"]


def log_in(machine, name):
    return HubClient(machine.url, name).login(PASSWORDS[name])


def fingerprint(machine, paths=UPSTREAMS):
    """Every file below `paths`, but for what running programs write."""
    return machine.output(
        f"find {paths} -xdev -not -name '*.pyc' -not -name '*.sqlite*' -not -name '*.pid' -not -type d"
        r" -printf '%p %m %u %s %l\n' | grep -v -e __pycache__ -e tljh-users.slice | sort"
    )


def test_everybody_works_on_and_the_way_back_is_open_until_the_end(upstream):
    upstreams_own = fingerprint(upstream)
    old = hub_version(upstream)
    ben = log_in(upstream, "ben")
    ben.start_server()
    kernel = ben.start_kernel()
    kernel.run("held = 42")
    secret = upstream.output("cat /opt/tljh/state/jupyterhub_cookie_secret")

    done = install(upstream)
    told = done.stdout + done.stderr
    wait_for_login_page(upstream)
    assert_taken_over(upstream, told, old)
    assert upstream.output("cat /var/lib/tljh/jupyterhub_cookie_secret") == secret
    # Ben's browser is still logged in, and his kernel has computed on.
    assert kernel.run("print(held)") == "42\n"
    ben.stop_server()
    ada = log_in(upstream, "ada")
    for person in (ada, log_in(upstream, "ben")):
        person.start_server()
        code = "import course.data, os; print(course.data.ANSWER, os.environ['COURSE'], open('kept.txt').read())"
        assert person.start_kernel().run(code) == "42 physics work of a term\n"
    assert ada.api("GET", "users/ada")["admin"]
    assert upstream.output("systemctl show --property=MemoryMax --value jupyter-ben") == str(1500 << 20)
    assert upstream.output("runuser -u jupyter-ada -- sudo -n id -un") == "root"

    add_a_package_of_the_hub_as_the_documentation_says(upstream)

    # A rerun of everything changes nothing.
    journal = upstream.output(f"cat {ASIDE}/adoption.json")
    upstream.run("dpkg-reconfigure tljh")
    assert upstream.output(f"cat {ASIDE}/adoption.json") == journal

    back = upstream.run("tljh-hub adopt undo --yes", timeout=600)
    assert "upstream's installation is back in /opt/tljh, and its hub runs" in back.stdout
    wait_for_login_page(upstream)
    assert hub_version(upstream) == old
    assert fingerprint(upstream) == upstreams_own
    assert "jupyterlab==" in upstream.output("cat /var/backups/tljh-adopted/user-environment.txt")
    ben = log_in(upstream, "ben")
    ben.start_server()
    assert ben.start_kernel().run("import course; print(open('kept.txt').read())") == "work of a term\n"
    assert upstream.output("dpkg-query -W -f '${db:Status-Status}\n' tljh tljh-hub 2>/dev/null | sort -u", check=False) in ("", "not-installed")
    assert upstream.output("ls -d /etc/tljh /var/lib/tljh /opt/tljh/generations /opt/tljh/.upstream 2>/dev/null", check=False) == ""
    ben.stop_server()

    install(upstream)
    wait_for_login_page(upstream)
    log_in(upstream, "ada")
    assert "the adoption is final" in upstream.run("tljh-hub adopt commit --yes").stdout
    assert "nothing of upstream's is kept" in upstream.run("tljh-hub adopt undo --yes", check=False).stderr
    log_in(upstream, "ben").start_server()
    assert_purge_leaves_what_it_always_leaves(upstream)


def assert_taken_over(machine, told, old):
    assert hub_version(machine) != old
    for line in (
        "upstream's hub and proxy stop; people's servers keep running",
        "the configuration is in /etc/tljh/config.yaml, word for word",
        "unknown key `university`", "`traefik_api` is not used any more", "snippets: 10-course.py",
        "2 hub users", "2 passwords of people", "3 accounts with their homes",
        "the user environment is generation 1", "not in the hub's environment any more: course-plugin 1.2",
        "sudo tljh-hub adopt undo",
    ):
        assert line in told, told
    assert machine.output("dpkg --audit") == ""
    assert machine.output("cat /etc/tljh/config.yaml") == machine.output(f"cat {ASIDE}/config/config.yaml")
    accounts = {json.loads(line)["account"] for line in machine.output("tljh-hub account list --json").splitlines()}
    assert accounts == {"jupyter-ada", "jupyter-ben", "jupyter-gone"}
    listed = machine.output("tljh-hub adopt status")
    assert "2 hub users" in listed and f"kept in {ASIDE}" in listed
    assert json.loads(machine.output("tljh-hub adopt status --json"))["finished"]
    assert machine.output("systemctl is-enabled jupyterhub tljh-proxy").split() == ["enabled", "enabled"]
    assert machine.run("systemctl is-active traefik", check=False).stdout.strip() == "inactive"
    assert machine.output("ls /etc/tljh/initial-admin-password", check=False) == ""


def add_a_package_of_the_hub_as_the_documentation_says(machine):
    """With an index of its own, and a snippet that needs the package."""
    section = re.search(r"^## Packages of the hub$(.*)", PAGE.read_text(), re.M | re.S)[1]
    install_it, reload = re.findall(r"^ +sudo (.*)$|`sudo (tljh-config reload)`", section, re.M)
    (snippet,) = re.findall(r"`(/etc/tljh/\S+\.py)`", section)
    code = textwrap.dedent("".join(re.findall(r"^    (?!sudo ).*\n", section, re.M)))
    make_wheel(machine.root / "srv", "course_plugin", "1.3", {"course_plugin/rules.py": "COURSE = 'chemistry'\n"})
    machine.run(f"UV_NO_INDEX=1 UV_FIND_LINKS=/srv {install_it[0]}", timeout=120)
    machine.write(snippet, code)
    machine.write("/etc/tljh/jupyterhub_config.d/10-course.py",
                  "from course_plugin import rules\nc.Spawner.environment = {'COURSE': rules.COURSE}\n")
    machine.run(reload[1])
    ben = log_in(machine, "ben")
    ben.stop_server()
    ben.start_server()
    assert ben.start_kernel().run("import os; print(os.environ['COURSE'])") == "chemistry\n"
    ben.stop_server()


def assert_purge_leaves_what_it_always_leaves(machine):
    printed, _ = purging.purge(machine)
    assert machine.output("getent passwd | grep -o '^jupyter-[a-z]*'") == "jupyter-mallory"
    for name in ("ada", "ben", "gone"):
        assert f"/home/jupyter-{name}" in printed
        assert machine.output(f"stat -c '%U:%G %a' /home/jupyter-{name}") == "root:root 700"
    assert machine.output("cat /home/jupyter-ben/kept.txt") == "work of a term"
    left = machine.output("find /opt/tljh* /etc/tljh /var/lib/tljh /etc/systemd/system /etc/sudoers.d /usr/bin"
                          " 2>/dev/null | grep -e tljh -e jupyter -e traefik", check=False)
    assert left == ""
    assert machine.output("find / -xdev -ignore_readdir_race -nouser") == ""


# Older versions

def test_version_0_2_with_its_layout_and_its_database_is_taken_over(upstream, tmp_path):
    make_database(tmp_path / "jupyterhub.sqlite", 1, "ada", "ben", "carla")
    upstream.run(
        "systemctl disable --now jupyterhub traefik; cd /opt/tljh; rm state/jupyterhub.sqlite"
        "; mv config/config.yaml config/jupyterhub_config.d .; rm -r config"
    )
    shutil.copy(tmp_path / "jupyterhub.sqlite", upstream.root / "opt/tljh/state")
    text = upstream.output("cat /opt/tljh/config.yaml")
    done = install(upstream)
    assert "3 hub users" in done.stdout + done.stderr
    wait_for_login_page(upstream)
    assert upstream.output("cat /etc/tljh/config.yaml") == text
    ada, ben = log_in(upstream, "ada"), log_in(upstream, "ben")
    assert {user["name"]: user["admin"] for user in ada.api("GET", "users")} == {"ada": True, "ben": False, "carla": False}
    ben.start_server()
    assert ben.start_kernel().run("import os; print(os.environ['COURSE'], open('kept.txt').read())") == "physics work of a term\n"
    # It did not run, so it is not started when it is back.
    back = upstream.run("tljh-hub adopt undo --yes", timeout=600)
    assert "its hub does not run" in back.stdout
    assert upstream.output("cat /opt/tljh/config.yaml") == text
    assert upstream.output("ls /etc/systemd/system/jupyterhub.service /opt/tljh/jupyterhub_config.d")


def test_version_1_0_with_its_database_and_condas_environment_is_taken_over(upstream, tmp_path):
    make_database(tmp_path / "jupyterhub.sqlite", 4, "ada", "ben", "carla")
    upstream.run("systemctl disable --now jupyterhub traefik; rm /opt/tljh/state/jupyterhub.sqlite")
    shutil.copy(tmp_path / "jupyterhub.sqlite", upstream.root / "opt/tljh/state")
    use_conda(upstream)
    packages = upstream.output("ls /opt/tljh/user/conda-meta")
    done = install(upstream)
    told = done.stdout + done.stderr
    assert "3 hub users" in told and "the user environment is generation 1" in told, told
    # The channel's Python is that of the tests' own release.
    assert ("its JupyterHub is 5" in told) == (upstream.suite != own_suite())
    wait_for_login_page(upstream)
    people = log_in(upstream, "ada").api("GET", "users")
    assert {user["name"]: user["admin"] for user in people} == {"ada": True, "ben": False, "carla": False}
    history = upstream.output("tljh-user-env history --json").splitlines()
    assert {json.loads(line)["engine"] for line in history} == {"conda"}
    ben = log_in(upstream, "ben")
    ben.start_server()
    code = "import answer, course.data; print(answer.VALUE, course.data.ANSWER)"
    assert ben.start_kernel().run(code) == "42 42\n"
    upstream.run("tljh-hub adopt undo --yes", timeout=600)
    assert upstream.output("ls /opt/tljh/user/conda-meta") == packages
    assert upstream.output(f"/opt/tljh/user/bin/python -c '{code}'") == "42 42"


# Interruptions

MOMENTS = {
    "while upstream's files are set aside": f"test -d {ASIDE}/units",
    "while dpkg unpacks": "test -e /opt/tljh/hub/bin/python.dpkg-new -o -e /opt/tljh/hub/pyvenv.cfg -a -d /opt/tljh/.upstream/hub",
    "while passwords are taken over": f"grep -qs '\"state\"' {ASIDE}/adoption.json",
    "while the environment is tried out": "test -d /opt/tljh/generations/1/lib",
}


def test_apt_that_is_killed_is_gone_on_with(upstream):
    for moment, condition in MOMENTS.items():
        kill_apt_once(upstream, condition, moment)
    repair(upstream)
    install(upstream)
    assert upstream.output("dpkg --audit") == ""
    wait_for_login_page(upstream)
    for name in PASSWORDS:
        log_in(upstream, name)
    assert json.loads(upstream.output("tljh-hub adopt status --json"))["finished"]
    upstream.run("tljh-hub adopt undo --yes", timeout=600)
    wait_for_login_page(upstream)
    assert log_in(upstream, "ben").api("GET", "user")["name"] == "ben"


def repair(machine):
    """As "When something goes wrong" of docs/upgrade.md has it."""
    told = machine.run("dpkg --configure -a", check=False, timeout=600)
    bad = re.findall(r"processing package (\S+) \(--configure\):\s+package is in a very bad inconsistent state", told.stderr)
    if bad:
        machine.run(f"apt-get -q -y install --reinstall {' '.join(bad)}", timeout=600)
    machine.run("apt-get -q -y --fix-broken install", timeout=600)


def kill_apt_once(machine, condition, moment):
    """Kill apt and all that it runs, as soon as `condition` holds, if it comes to that."""
    # Each time another one, since systemd may still know the last.
    unit = re.sub(r"\W+", "-", f"apt killed {moment}")
    machine.run(
        f"systemd-run --quiet --unit={unit} --service-type=exec --setenv=DEBIAN_FRONTEND=noninteractive"
        " sh -c 'dpkg --configure -a; apt-get -q -y install tljh'"
    )
    ended = f"! systemctl --quiet is-active {unit}"
    wait_for(lambda: machine.run(f"({condition}) || {ended}", check=False).returncode == 0, 300, moment, 0.02)
    machine.run(f"systemctl kill --kill-whom=all --signal=KILL {unit}", check=False)
    machine.wait_for(ended)
    machine.run(f"systemctl reset-failed {unit}; rm -f /var/lib/dpkg/lock* /var/lib/apt/lists/lock", check=False)


def test_an_installation_that_dpkg_cannot_finish_leaves_upstreams_hub_serving(upstream):
    """A package that was cut off, of which dpkg finds the end missing while it unpacks."""
    before = fingerprint(upstream)
    upstream.run("apt-get -q -y install --download-only tljh", timeout=300)
    upstream.run("head -c 12000000 /var/cache/apt/archives/tljh-hub_*.deb > /tmp/half.deb")
    done = upstream.run("dpkg --unpack /tmp/half.deb", check=False, timeout=300)
    assert done.returncode != 0
    assert "upstream's installation is back" in done.stdout + done.stderr
    wait_for_login_page(upstream)
    log_in(upstream, "ben")
    assert fingerprint(upstream) == before


# Refusals

FLAWS = {
    "config.yaml": ("printf 'users: [\\n' > /opt/tljh/config/config.yaml", "config.yaml` cannot be read: line"),
    "jupyterhub.sqlite": ("systemctl stop jupyterhub; printf 'no database at all' > /opt/tljh/state/jupyterhub.sqlite",
                          "the hub's database `/opt/tljh/state/jupyterhub.sqlite` is damaged"),
    "passwords.dbm": ("rm -f /opt/tljh/state/passwords.dbm*; echo none > /opt/tljh/state/passwords.dbm",
                      "the password database `/opt/tljh/state/passwords.dbm` cannot be read"),
}


@pytest.mark.parametrize("flawed", FLAWS)
def test_what_cannot_be_read_is_refused_before_anything_is_touched(upstream, flawed):
    command, complaint = FLAWS[flawed]
    upstream.run(command)
    before = fingerprint(upstream)
    done = install(upstream, check=False)
    assert done.returncode != 0
    # apt passes on what dpkg's scripts say as its own output.
    told = done.stdout + done.stderr
    assert complaint in told and "nothing was changed" in told and "hint: " in told
    assert fingerprint(upstream) == before
    if flawed != "jupyterhub.sqlite":
        assert http_status(f"{upstream.url}hub/login") == 200
