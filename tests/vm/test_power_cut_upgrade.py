"""Power cuts during `apt upgrade`: dpkg and apt bring it to its end, and nothing of anybody's is lost."""

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.newer import index_debs, renumber_debs

from patience import PATIENCE
from power import cut_once

OURS = "tljh tljh-hub tljh-proxy tljh-config tljh-user-env"
UPGRADE = "apt-get -q -y upgrade"
NOTES = "/home/jupyter-admin/notes.txt"
MOMENTS = {
    "the_hubs_files_are_unpacked": "compgen -G '/opt/tljh/hub/lib/python3*/site-packages/*/*.dpkg-new'",
    "the_packages_are_configured": "pgrep -f '[m]aintainer-script postinst configure'",
}


@pytest.fixture(scope="module")
def repository_of(machine, suite, served_folder):
    """Publishes our packages as a next version at each call, for apt to find; returns that version."""
    folder, url = served_folder
    machine.boot()
    wait_for_login_page(machine, deadline=PATIENCE)
    machine.run("rm -f /etc/apt/sources.list.d/tljh.sources /etc/apt/sources.list")
    machine.write("/etc/apt/sources.list.d/next.list", f"deb [trusted=yes] {url} ./\n")

    def publish(suffix):
        for old in folder.glob("*.deb"):
            old.unlink()
        version = renumber_debs(suite, folder, suffix)
        index_debs(folder)
        machine.run("apt-get -q update", timeout=PATIENCE)
        return version

    return publish


@pytest.fixture(scope="module")
def password(machine):
    """The admin's, who has an account, and notes on disk."""
    password = read_admin_password(machine)
    machine.run("tljh-hub account ensure --admin admin")
    machine.run(f"echo what I found out > {NOTES} && sync {NOTES}", user="jupyter-admin")
    return password


def versions(machine):
    shown = machine.output(f"dpkg-query -W -f '${{db:Status-Abbrev}} ${{Version}}\\n' {OURS}")
    return {" ".join(line.split()) for line in shown.splitlines()}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_power_cut_while(machine, repository_of, password, moment):
    version = repository_of(f".{list(MOMENTS).index(moment) + 1}")
    machine.run("apt-get -q -y --download-only upgrade && sync", timeout=PATIENCE)
    cut_once(machine, f"{MOMENTS[moment]} > /dev/null", UPGRADE)
    machine.boot()
    machine.run("dpkg --configure -a", check=False, timeout=PATIENCE)
    machine.run("apt-get -q -y --fix-broken install", timeout=PATIENCE)
    assert machine.output("dpkg --audit") == ""
    machine.run(UPGRADE, timeout=PATIENCE)
    assert versions(machine) == {f"ii {version}"}
    assert machine.output("dpkg --verify " + OURS, check=False) == ""
    wait_for_login_page(machine, deadline=PATIENCE)
    HubClient(machine.url, "admin").login(password)
    assert machine.output(f"cat {NOTES}", user="jupyter-admin") == "what I found out"
    assert machine.output("systemctl --failed --no-legend") == ""
