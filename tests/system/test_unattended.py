"""Nobody sits there: images, first boots, updates at night, reruns of what sets machines up."""

import re
import subprocess

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import add_repository, install, read_admin_password, wait_for_login_page
from tests.machines.machine import Machine
from tests.machines.newer import Newer
from tests.machines.places import DIST, PROJECT

ON_ANY_RELEASE = True

UPDATED = "libexpat1"


def compute(client):
    """A kernel of somebody's server, which remembers 42."""
    if not client.server():
        client.start_server()
    kernel = client.start_kernel()
    kernel.run("held = 42")
    return kernel


def admin_of(machine):
    """The admin of a machine that was just installed, logged in."""
    return HubClient(machine.url, "admin").login(read_admin_password(machine))


@pytest.fixture
def kernel(teacher):
    return compute(teacher)


def processes(machine):
    """The main processes of the hub and of the proxy."""
    return machine.output("systemctl show --property=MainPID --value jupyterhub tljh-proxy").split()


# Images

def test_an_image_that_was_built_in_a_chroot_serves_the_class_from_its_first_boot(suite, repository):
    with Machine(suite, repository) as machine:
        # No boot before: this runs in a chroot.
        add_repository(machine)
        # As builders of images have it: nothing may be started.
        (machine.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (machine.root / "usr/sbin/policy-rc.d").chmod(0o755)
        done = install(machine, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert machine.output("dpkg --audit") == ""
        (machine.root / "usr/sbin/policy-rc.d").unlink()
        machine.boot()
        wait_for_login_page(machine)
        assert compute(admin_of(machine)).run("print(held)") == "42\n"


def test_cloud_init_makes_a_server_of_a_new_machine_at_its_first_boot(suite, repository):
    """The user data of docs/install.md."""
    with Machine(suite, repository, extra=["cloud-init"]) as machine:
        seed = machine.root / "var/lib/cloud/seed/nocloud"
        seed.mkdir(parents=True)
        (seed / "meta-data").write_text("instance-id: classroom-1\nlocal-hostname: classroom\n")
        (seed / "user-data").write_text(
            f"#cloud-config\nruncmd:\n  - curl -fsSL {repository.url}/install.sh | bash\n"
        )
        (machine.root / "etc/cloud/cloud.cfg.d/99-tests.cfg").write_text(
            "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\npackage_update: false\n"
        )
        # cloud-init is a part of the boot, and apt one of cloud-init.
        machine.boot(deadline=600)
        machine.run("cloud-init status --wait", check=False, timeout=600)
        log = machine.output("cat /var/log/cloud-init-output.log", check=False)
        assert machine.run("dpkg-query -W tljh", check=False).returncode == 0, log[-3000:]
        wait_for_login_page(machine)
        assert compute(admin_of(machine)).run("print(held)") == "42\n"


# Reruns

def test_what_sets_machines_up_runs_again_without_a_change(shared):
    """As Ansible's debconf and apt modules do: the same answers, the same package, each night."""
    before = processes(shared)
    for _ in range(2):
        shared.run("debconf-set-selections", input="tljh tljh/admins string admin\n")
        done = install(shared)
        assert re.search(r"0 upgraded, 0 newly installed, 0 to remove", done.stdout)
        shared.run("tljh-config set limits.memory 2G", environment={"DEBIAN_FRONTEND": "noninteractive"})
    assert processes(shared) == before
    shared.run("tljh-config unset limits.memory")


def test_reconfiguring_asks_nothing_anew_and_ends_no_server(shared, kernel):
    configuration = shared.output("cat /etc/tljh/config.yaml")
    shared.run("dpkg-reconfigure tljh", timeout=300)
    wait_for_login_page(shared)
    assert kernel.run("print(held)") == "42\n"
    assert shared.output("cat /etc/tljh/config.yaml") == configuration


# Updates of the system

def test_needrestart_restarts_the_hub_and_leaves_peoples_servers_alone(shared, kernel):
    install(shared, "needrestart")
    before = processes(shared)
    # What dpkg does to a library in use: another file in its place.
    shared.run(f"apt-get -q -y install --reinstall {UPDATED}", timeout=300, environment={"NEEDRESTART_SUSPEND": "1"})
    told = shared.output("needrestart -b -r l")
    assert "jupyter-admin.service" in told and "jupyterhub.service" in told, told
    shared.run("needrestart -q -r a", timeout=120)
    assert processes(shared)[0] != before[0]
    wait_for_login_page(shared)
    assert kernel.run("print(held)") == "42\n"


def test_unattended_upgrades_upgrades_at_night_and_ends_no_kernel(shared, suite, kernel, tmp_path):
    """The line of docs/install.md, and an archive of that origin."""
    install(shared, "unattended-upgrades")
    archive = shared.root / "srv/archive"
    archive.mkdir()
    Newer(suite, tmp_path, 1).build(archive)
    shared.run("cd /srv/archive && apt-ftparchive packages . > Packages && apt-ftparchive"
               " -o APT::FTPArchive::Release::Origin='The Littlest JupyterHub' release . > Release")
    shared.write("/etc/apt/sources.list.d/archive.list", "deb [trusted=yes] file:/srv/archive ./\n")
    line = re.search(r"echo '(Unattended-Upgrade.*)' \|", (PROJECT / "docs/install.md").read_text())[1]
    shared.write("/etc/apt/apt.conf.d/51tljh-unattended-upgrades", line + "\n")
    shared.run("apt-get -q update")
    before = shared.output("dpkg-query -W -f '${Version}' tljh")
    done = shared.run("unattended-upgrade -v", timeout=600)
    assert shared.output("dpkg-query -W -f '${Version}' tljh") == f"{before}.1", done.stdout + done.stderr
    assert shared.output("dpkg --audit") == ""
    wait_for_login_page(shared)
    assert kernel.run("print(held)") == "42\n"


# Debian's own test runner

def test_autopkgtest_runs_the_tests_of_the_installed_packages(suite, machines):
    """What debian/tests says, by Debian's program, which installs the built packages itself."""
    machine = machines(extra=["autopkgtest", "dpkg-dev"])
    for name in ("debian", "tests", "dist"):
        (machine.root / "srv/tljh" / name).mkdir(parents=True)
    subprocess.run(["cp", "-a", PROJECT / "debian/tests", machine.root / "srv/tljh/debian/"], check=True)
    subprocess.run(["cp", "-a", PROJECT / "tests/installed.py", PROJECT / "tests/machines", machine.root / "srv/tljh/tests/"], check=True)
    subprocess.run(["cp", "-a", DIST / "debs" / suite, machine.root / "srv/tljh/dist/"], check=True)
    done = machine.run(f"cd /srv/tljh && autopkgtest --no-built-binaries --ignore-restrictions=isolation-container . dist/{suite}/*.deb -- null", check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "a kernel computes" in done.stdout + done.stderr
