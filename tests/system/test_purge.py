"""Purge leaves no difference, shown by comparing the whole machine before and after."""

from tests.machines import inventory
from tests.machines.hub_client import HubClient
from tests.machines.install import (
    add_repository, install, read_admin_password, wait_for_login_page,
)

import purging


def install_and_use(machine):
    """Install, and have a server and a kernel running as after a first lesson."""
    add_repository(machine)
    install(machine)
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server()
    teacher.start_kernel().run("x = 1")
    return teacher


def test_purge_leaves_the_machine_as_it_was(machines):
    machine = machines()
    before = inventory.take(machine)
    install_and_use(machine)
    purging.purge(machine)
    purging.forget_repository(machine)
    purging.assert_as_before(machine, before, purging.KEPT_HOMES)


def test_purge_with_running_servers_stops_them_and_keeps_homes(machines):
    machine = machines.installed()
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server()
    teacher.start_kernel().run("open('kept.txt', 'w').write('work of a term')")
    printed, _ = purging.purge(machine)
    purging.assert_nothing_of_ours_lives(machine)
    assert "/home/jupyter-admin" in printed
    assert machine.output("stat -c '%U:%G %a' /home/jupyter-admin") == "root:root 700"
    assert machine.output("cat /home/jupyter-admin/kept.txt") == "work of a term"
    assert machine.output("find / -xdev -ignore_readdir_race -nouser") == ""


def test_purge_removes_homes_when_debconf_says_so(machines):
    machine = machines.installed()
    HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
    machine.run("debconf-set-selections", input="tljh tljh/purge-homes boolean true\n")
    purging.purge(machine)
    purging.assert_nothing_of_ours_lives(machine)
    assert machine.output("ls /home") == ""


def test_purge_spares_an_account_that_it_did_not_create(machines):
    machine = machines.installed()
    machine.run("useradd --create-home jupyter-mallory && touch /home/jupyter-mallory/own")
    purging.purge(machine)
    assert machine.output("id -un jupyter-mallory") == "jupyter-mallory"
    assert machine.output("stat -c %U /home/jupyter-mallory") == "jupyter-mallory"


def test_purge_after_remove_leaves_nothing(machines):
    machine = machines.installed()
    machine.run("apt-get -q -y remove tljh")
    machine.run("apt-get -q -y autoremove")
    machine.run("dpkg --purge tljh")
    purging.assert_nothing_of_ours_lives(machine)


def test_purge_twice_and_reinstallation_work(machines):
    machine = machines.installed()
    for _ in range(2):
        machine.run("apt-get -q -y purge tljh")
    purging.assert_nothing_of_ours_lives(machine)
    install(machine)
    wait_for_login_page(machine)
    HubClient(machine.url, "admin").login(read_admin_password(machine))


def test_reinstallation_gives_a_kept_home_back_to_its_user(machines):
    machine = machines.installed()
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server()
    teacher.start_kernel().run("open('kept.txt', 'w').write('work of a term')")
    purging.purge(machine)
    add_repository(machine)
    install(machine)
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server()
    assert teacher.start_kernel().run("print(open('kept.txt').read())") == "work of a term\n"
    assert machine.output("stat -c '%U %a' /home/jupyter-admin") == "jupyter-admin 700"
