"""When things go wrong: each says what to do, and nothing is left that a rerun does not repair."""

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import (
    add_repository, http_status, install, read_admin_password, wait_for_login_page,
)
from tests.machines.machine import Machine
from tests.machines.places import wait_for
from tests.machines.repository import Repository

import purging

ON_ANY_RELEASE = True

OURS = "tljh tljh-hub tljh-proxy tljh-config tljh-user-env"


def assert_installed(machine):
    """dpkg is content, the login page is served and the admin's kernel computes."""
    assert machine.output("dpkg --audit") == ""
    assert machine.output("dpkg-query -W -f '${db:Status-Abbrev}' tljh").strip() == "ii"
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server()
    assert teacher.start_kernel().run("print(6 * 7)") == "42\n"


# Busy port, broken configuration

def test_busy_port_80_is_named_with_the_command_that_fixes_it(machines):
    machine = machines()
    machine.write("/etc/systemd/system/shop.service", (
        "[Service]\nExecStart=/usr/bin/python3 -m http.server 80\n[Install]\nWantedBy=multi-user.target\n"
    ))
    machine.run("systemctl enable --now shop")
    wait_for(lambda: http_status(machine.url) == 200)
    add_repository(machine)
    done = install(machine)
    printed = done.stdout + done.stderr
    assert "port 80" in printed and "python3" in printed
    fix = "systemctl disable --now shop.service"
    assert fix in printed
    assert machine.output("dpkg --audit") == ""
    machine.run(fix)
    assert_installed(machine)


def test_broken_configuration_never_leaves_dpkg_half_configured(machines):
    machine = machines.installed()
    machine.write("/etc/tljh/config.yaml", "http: {port: eighty\n", 0o600)
    done = machine.run("apt-get -q -y install --reinstall tljh", check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "config.yaml" in done.stdout + done.stderr
    assert machine.output("dpkg --audit") == ""
    machine.write("/etc/tljh/config.yaml", "users:\n  admin: [admin]\n", 0o600)
    machine.run("systemctl restart jupyterhub")
    assert_installed(machine)


# Disk full

def test_disk_full_while_unpacking_is_repaired_by_a_rerun(machines):
    machine = machines()
    machine.run("mount -t tmpfs -o size=30M tmpfs /opt")
    add_repository(machine)
    done = install(machine, check=False)
    assert done.returncode != 0
    assert "No space left on device" in done.stdout + done.stderr
    machine.run("mount -o remount,size=3G /opt")
    machine.run("apt-get -q -y --fix-broken install")
    install(machine)
    assert_installed(machine)


def test_disk_full_while_the_environment_is_made_is_repaired_by_a_rerun(machines):
    machine = machines()
    machine.run("mount -t tmpfs -o size=3G tmpfs /opt")
    add_repository(machine)
    install(machine, "tljh-hub tljh-user-env tljh-proxy tljh-config")
    used = int(machine.output("df --output=used -k /opt | tail -1"))
    machine.run(f"mount -o remount,size={used + 20_000}k /opt")
    done = install(machine, check=False)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert "space" in printed and "hint:" in printed
    assert machine.run("test -x /opt/tljh/user/bin/python", check=False).returncode != 0
    machine.run("mount -o remount,size=3G /opt")
    machine.run("dpkg --configure -a", timeout=300)
    assert machine.output("ls -A /opt/tljh | grep -i -E 'new|partial|tmp'", check=False) == ""
    assert_installed(machine)


# Somebody else's hub; upstream's is taken over (test_adoption.py)

def test_a_hub_that_nobody_knows_is_refused_before_anything_is_touched(machines):
    machine = machines()
    machine.run(
        "mkdir -p /opt/tljh/hub/bin /opt/tljh/config /opt/tljh/state; echo home = /usr > /opt/tljh/hub/pyvenv.cfg;"
        "echo 'users: {admin: [x]}' > /opt/tljh/config/config.yaml; useradd jupyter-x"
    )
    look = (
        "find /opt/tljh -printf '%p %M %u %g %l\\n' | sort; cat /opt/tljh/config/config.yaml;"
        "getent passwd; getent group; ls -la /etc/systemd/system /etc/sudoers.d; ls -d /etc/tljh /var/lib/tljh"
    )
    before = machine.run(look, check=False).stdout
    add_repository(machine)
    done = install(machine, check=False)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert "neither by this package nor by upstream's installer" in printed and "hint:" in printed
    assert machine.run(look, check=False).stdout == before
    machine.run(f"dpkg --purge --force-depends {OURS}", check=False)
    machine.run("apt-get -q -y --fix-broken install")
    assert machine.output("dpkg --audit") == ""
    assert machine.run(look, check=False).stdout == before


# The repository

@pytest.fixture
def attacked(suite):
    """A machine and a repository of its own that the test may tamper with."""
    repository = Repository()
    with Machine(suite, repository) as machine:
        yield machine.boot(), repository
    repository.close()


def assert_refused(machine):
    update = machine.run(
        "curl -fsS -o /usr/share/keyrings/tljh-archive-keyring.gpg "
        f"{machine.repository.url}/tljh-archive-keyring.gpg && "
        f"curl -fsS -o /etc/apt/sources.list.d/tljh.sources {machine.repository.url}/tljh-{machine.suite}.sources;"
        "apt-get -q update", check=False,
    )
    done = install(machine, check=False)
    assert done.returncode != 0
    assert machine.run("dpkg -s tljh-hub", check=False).returncode != 0
    return update.stdout + update.stderr + done.stdout + done.stderr


def test_index_that_was_tampered_with_is_refused(attacked, suite):
    machine, repository = attacked
    signed = (repository.directory / "dists" / suite / "InRelease").read_bytes()
    repository.replaced[f"/dists/{suite}/InRelease"] = signed.replace(b"Origin: The", b"Origin: Not", 1)
    printed = assert_refused(machine)
    assert "signature" in printed.lower() or "not signed" in printed


def test_unsigned_repository_is_refused(attacked, suite):
    machine, repository = attacked
    for name in ("InRelease", "Release.gpg"):
        repository.replaced[f"/dists/{suite}/{name}"] = None
    assert "is not signed" in assert_refused(machine)


def test_package_that_was_tampered_with_is_refused(attacked, suite):
    machine, repository = attacked
    for stanza in repository.packages(suite):
        if stanza["Package"] == "tljh":
            path = "/" + stanza["Filename"]
            content = bytearray((repository.directory / stanza["Filename"]).read_bytes())
            content[len(content) // 2] ^= 1
            repository.replaced[path] = bytes(content)
    assert "Hash Sum mismatch" in assert_refused(machine)


# Killed at any step

# Seconds into the maintainer script.
MOMENTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 4, 6)

def kill_after(machine, seconds, command):
    """Run `command` and kill it with all its children after `seconds`; its exit status.

    Time is the point here: every moment at which the power may fail must be recovered from.
    """
    return machine.run(
        f"setsid {command} > /tmp/killed.log 2>&1 < /dev/null & pid=$!;"
        f"(sleep {seconds}; kill -KILL -- -$pid 2> /dev/null) & wait $pid", check=False,
    ).returncode


def test_installation_killed_at_any_step_is_completed_by_dpkg_configure(machines):
    machine = machines()
    add_repository(machine)
    install(machine, "tljh-hub tljh-proxy tljh-config tljh-user-env tljh-archive-keyring")
    machine.run("apt-get -q -y install --download-only tljh && dpkg --unpack /var/cache/apt/archives/tljh_*.deb")
    killed = 0
    for moment in MOMENTS:
        if kill_after(machine, moment, "dpkg --configure -a") == 0:
            break
        killed += 1
    assert killed >= 3
    machine.run("dpkg --configure -a", timeout=300)
    assert_installed(machine)


def test_purge_killed_at_any_step_is_completed_by_a_rerun(machines):
    machine = machines.installed()
    HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
    for moment in MOMENTS:
        if kill_after(machine, moment, "dpkg --purge tljh") == 0:
            break
        machine.run("dpkg --configure -a", check=False, timeout=300)
    machine.run("apt-get -q -y purge tljh", timeout=300)
    purging.assert_nothing_of_ours_lives(machine)
    assert machine.output("dpkg --audit") == ""


# Without systemd, without a network

def test_installed_in_a_chroot_it_starts_at_the_first_boot(suite, repository):
    with Machine(suite, repository) as machine:
        add_repository(machine)
        install(machine)
        assert machine.output("dpkg --audit") == ""
        machine.boot()
        assert_installed(machine)


def test_installation_needs_nothing_but_the_repository(machines, repository, suite):
    machine = machines(offline=True, extra=repository.debian_dependencies(suite))
    add_repository(machine)
    install(machine)
    assert_installed(machine)
