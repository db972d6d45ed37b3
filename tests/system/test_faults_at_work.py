"""Faults on machines that are booted, while people work: their servers go on, dpkg ends, and it is said what to do."""

import os
import re
from contextlib import contextmanager

import pytest

from tests.machines.faults import NO_SPACE, REPAIR, Life, Tally, faults_of, follow, sample
from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.lives import INSTALL, NEXT, NOTES, PASSWORD_NOTE, PURGE, SHELF, ensure_workshop
from tests.machines.machine import Machine
from tests.machines.places import DIST

import purging

ON_ANY_RELEASE = True

EVERY = os.environ.get("FAULTS") == "every"
PASSWORD = "a first password"
VERSION = "dpkg-query --show --showformat '${Version}' tljh"


@pytest.fixture(scope="module")
def disks(suite, repository):
    return ensure_workshop(suite, repository).disks


@contextmanager
def at_work(suite, disks):
    """A machine on which a pupil has a kernel that holds something; and the question whether it still does."""
    with Machine(suite, offline=True, layers=disks["installed"]) as machine:
        machine.boot()
        wait_for_login_page(machine)
        pupil = HubClient(machine.url, "pupil").login(PASSWORD)
        pupil.start_server()
        kernel = pupil.start_kernel()
        kernel.run("held = 42")
        process = server_process(machine)

        def goes_on():
            assert (kernel.run("print(held)"), server_process(machine)) == ("42\n", process)

        yield machine, goes_on


def server_process(machine):
    return machine.output("systemctl show --property=MainPID --value jupyter-pupil")


def assert_whole(machine):
    """dpkg is content, the hub serves, and the first administrator has password and notes."""
    assert machine.output("dpkg --audit") == ""
    wait_for_login_page(machine)
    HubClient(machine.url, "admin").login(machine.output(f"cat {PASSWORD_NOTE}"))
    assert machine.output(f"cat {NOTES}", user="jupyter-admin") == "what I found out"
    assert machine.output("systemctl is-enabled jupyterhub tljh-proxy").split() == ["enabled", "enabled"]


def repair(machine, *last):
    """What an administrator types, and in the end what they were about: where no index has the files that dpkg was given, dpkg
    says that the package is to be installed again."""
    for command in (*REPAIR, *last):
        done = machine.run(command, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or command in REPAIR and "reinstall it before" in " ".join(said.split()), said


def try_all(faults, attempt, record_property):
    """Calls `attempt(fault)` for each, which says whether the fault was reached; counts, and fails with all failures."""
    tally = Tally()
    for fault in faults:
        try:
            if attempt(fault):
                tally.tried += 1
            else:
                tally.not_reached.append(fault)
        except Exception as error:  # the others are tried all the same
            tally.tried += 1
            tally.failed.append((fault, error))
    record_property("faults", (tally.tried, tally.tried - len(tally.failed)))
    assert tally.failed == [], "\n\n".join(f"{fault}\n{error}" for fault, error in tally.failed)
    assert tally.tried > 0


def test_people_at_work_do_not_notice_an_upgrade_that_is_killed_at_any_step(suite, disks, record_property):
    with at_work(suite, disks) as (machine, goes_on):
        # One is as good as the other: each is an upgrade to the scripts.
        commands = [f"dpkg --install {folder}/tljh_*.deb" for folder in (NEXT, SHELF)]
        life = Life("upgrade during a lesson", "installed", commands[0], commands[0])
        steps = follow(machine, life.command).steps

        def attempt(fault):
            commands.reverse()
            reached = follow(machine, commands[0], fault).reached
            goes_on()
            repair(machine, commands[0])
            assert_whole(machine)
            goes_on()
            return reached

        faults = list(faults_of(life, steps))
        try_all(faults if EVERY else sample(faults, 4), attempt, record_property)


def test_a_first_installation_that_is_killed_at_any_step_is_completed(suite, disks, record_property):
    life = Life("first installation, booted", "purged", INSTALL, INSTALL)
    with Machine(suite, offline=True, layers=disks["purged"]) as machine:
        steps = follow(machine.boot(), INSTALL).steps

    def attempt(fault):
        with Machine(suite, offline=True, layers=disks["purged"]) as machine:
            reached = follow(machine.boot(), INSTALL, fault).reached
            repair(machine, INSTALL)
            assert machine.output("dpkg --audit") == ""
            wait_for_login_page(machine)
            HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
            assert machine.output(f"cat {NOTES}", user="jupyter-admin") == "what I found out"
            return reached

    faults = list(faults_of(life, steps))
    try_all(faults if EVERY else sample(faults, 2), attempt, record_property)


def test_a_purge_during_a_lesson_that_is_killed_at_any_step_is_completed(suite, disks, record_property):
    life = Life("purge during a lesson", "installed", PURGE, PURGE)
    with at_work(suite, disks) as (machine, _):
        steps = follow(machine, PURGE).steps
        purging.assert_nothing_of_ours_lives(machine)

    def attempt(fault):
        with at_work(suite, disks) as (machine, _):
            reached = follow(machine, PURGE, fault).reached
            repair(machine, PURGE)
            purging.assert_nothing_of_ours_lives(machine)
            assert machine.output(f"cat {NOTES}") == "what I found out"
            assert machine.output("find / -xdev -ignore_readdir_race -nouser") == ""
            return reached

    faults = list(faults_of(life, steps))
    try_all(faults if EVERY else sample(faults, 2), attempt, record_property)


# Daemons

# What a process does not hear unless it asks to.
STUBBORN = "[Service]\nKillSignal=SIGWINCH\n"


def test_a_hub_that_does_not_stop_holds_up_neither_an_upgrade_nor_a_removal(suite, disks):
    with at_work(suite, disks) as (machine, goes_on):
        machine.run("mkdir -p /etc/systemd/system/jupyterhub.service.d")
        drop_in = "/etc/systemd/system/jupyterhub.service.d/stubborn.conf"
        machine.write(drop_in, STUBBORN)
        machine.run("systemctl daemon-reload")
        hub = machine.output("systemctl show --property=MainPID --value jupyterhub")
        # The unit's own time-out ends it.
        done = machine.run(f"dpkg --install {NEXT}/tljh_*.deb")
        assert "JupyterHub is ready at" in done.stderr
        assert machine.output("systemctl show --property=MainPID --value jupyterhub") != hub
        assert_whole(machine)
        goes_on()
        # None has one.
        machine.write(drop_in, STUBBORN + "TimeoutStopSec=infinity\n")
        machine.run("systemctl daemon-reload")
        done = machine.run("apt-get -q -y remove tljh")
        assert "`jupyterhub.service` did not stop within 60 s and is killed" in done.stdout + done.stderr
        assert machine.output("dpkg --audit") == ""
        assert machine.output("pgrep -f 'tljh-hub run'", check=False) == ""
        machine.run(PURGE)
        purging.assert_nothing_of_ours_lives(machine)


def test_a_hub_that_does_not_start_after_an_upgrade_leaves_servers_running_and_the_way_back_is_named(suite, disks):
    with at_work(suite, disks) as (machine, goes_on):
        program = machine.output("ls /opt/tljh/hub/lib/python3*/site-packages/jupyterhub/app.py")
        before = machine.output(VERSION)
        machine.run(f"mv {program} /var/tmp/")
        done = machine.run(f"dpkg --install {NEXT}/tljh_*.deb")
        assert "the login page does not answer" in done.stderr
        assert "sudo journalctl --unit jupyterhub.service" in done.stderr
        named = re.search(r"run `sudo (apt install tljh\S+)`", done.stderr)[1]
        assert named.endswith(f"={before}")
        assert machine.output("dpkg --audit") == ""
        goes_on()
        # What going back brings.
        machine.run(f"mv /var/tmp/app.py {program} && dpkg --install {SHELF}/tljh_*.deb")
        assert_whole(machine)
        goes_on()


# Disks

def test_a_read_only_opt_is_named_and_the_upgrade_is_completed_once_it_can_be_written(suite, disks):
    with at_work(suite, disks) as (machine, goes_on):
        deb = next((DIST / "debs" / suite).glob("tljh-hub_*.deb"))
        (machine.root / f"srv/{deb.name}").write_bytes(deb.read_bytes())
        machine.run("mount --bind /opt /opt && mount -o remount,ro,bind /opt")
        # The first needs nothing written there, or says so; the second is all there.
        done = machine.run(f"dpkg --install {NEXT}/tljh_*.deb", check=False)
        assert done.returncode == 0 or "Read-only file system" in done.stderr and "hint: " in done.stderr
        goes_on()
        done = machine.run(f"dpkg --install /srv/{deb.name}", check=False)
        assert done.returncode != 0 and "Read-only file system" in done.stderr + done.stdout
        goes_on()
        wait_for_login_page(machine, deadline=120)
        machine.run("mount -o remount,rw,bind /opt")
        machine.run(f"dpkg --install /srv/{deb.name} {NEXT}/tljh_*.deb")
        repair(machine)
        assert_whole(machine)
        goes_on()


def test_an_upgrade_on_a_full_disk_stops_before_the_state_is_touched_and_says_how_it_goes_on(suite, disks):
    with at_work(suite, disks) as (machine, goes_on):
        machine.run("mkdir -p /var/lib/tljh/backups && mount -t tmpfs -o size=64k tmpfs /var/lib/tljh/backups")
        done = machine.run(f"dpkg --install {NEXT}/tljh_*.deb", check=False)
        assert done.returncode != 0
        assert NO_SPACE.search(done.stderr) and "run `sudo dpkg --configure -a`" in done.stderr, done.stderr
        wait_for_login_page(machine)
        goes_on()
        machine.run("umount /var/lib/tljh/backups && dpkg --configure -a")
        assert_whole(machine)
        goes_on()
