"""What apt and dpkg take for the rest of a package's life, and what of the faults in it is recovered from.

- "apt upgrade, nothing new" is apt-get's run where there is no other version of our packages, so that no script of ours is called;
- "dpkg-reconfigure" ends when the login page is served by a hub that was started again, for which our postinst waits;
- "apt purge" is that of `tljh` with a server running, split where dpkg says on apt's status line that it removes, and that it
  purges: removing stops all that runs, purging takes away environment, accounts and state;
- faults are a sample of those of `tests/run.py faults`, each on a disk of its own.
"""

import subprocess
import time

from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.layers import installed_layers
from tests.machines.lives import LIVES, ensure_workshop
from tests.machines.machine import Machine

from .figures import Figure, print_heading, print_rows

FAULTS_A_LIFE = 2
# What dpkg says on apt's status line as each step begins.
STEPS = {"removing": ":Removing ", "purging": ":Preparing for complete removal of "}


def measure(suite, repository):
    print_heading("Upgrade without anything new, reconfiguration, purge")
    print(__doc__.partition("\n\n")[2])
    rows = measure_life(suite, repository)
    print_rows(("step", "seconds"), [(name, f"{seconds:.1f}") for name, seconds in rows])
    figures = [Figure(name, f"{seconds:.1f} s", "-", "-", "-") for name, seconds in rows]
    return [*figures, measure_faults(suite, repository)]


def measure_life(suite, repository):
    """(what, seconds) of each step."""
    with Machine(suite, repository, layers=installed_layers(suite, repository)) as machine:
        machine.boot()
        wait_for_login_page(machine)
        HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
        machine.run("apt-get -q update")
        nothing = seconds_of(machine, "apt-get -q -y upgrade tljh")
        again = seconds_of(machine, "dpkg-reconfigure -fnoninteractive tljh")
        total, (before, removing, purging) = purge(machine)
        return [
            ("apt upgrade, nothing new", nothing), ("dpkg-reconfigure", again), ("apt purge", total),
            ("- apt, before", before), ("- removing", removing), ("- purging, and apt after it", purging),
        ]


def seconds_of(machine, command):
    began = time.monotonic()
    machine.run(command, timeout=600)
    return time.monotonic() - began


def purge(machine):
    """Seconds of `apt purge tljh`: before our scripts, removing, purging and after that."""
    began = time.monotonic()
    marks = {}
    command = ["apt-get", "-q", "-y", "-o", "APT::Status-Fd=1", "purge", "tljh"]
    with machine.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as apt:
        for line in apt.stdout:
            for step, said in STEPS.items():
                if line.startswith("pmstatus:tljh:") and said in line:
                    marks.setdefault(step, time.monotonic())
    ended = time.monotonic()
    if apt.returncode != 0:
        raise AssertionError(f"apt-get purge ended with {apt.returncode}")
    times = [began, *(marks.get(step, ended) for step in STEPS), ended]
    return ended - began, [later - earlier for earlier, later in zip(times, times[1:])]


def measure_faults(suite, repository):
    workshop = ensure_workshop(suite, repository)
    tallies = [workshop.attempt_all(life, FAULTS_A_LIFE) for life in LIVES]
    tried = sum(tally.tried for tally in tallies)
    failed = [fault for tally in tallies for fault, _ in tally.failed]
    for fault in failed:
        print(f"not recovered: {fault}")
    return Figure("faults in dpkg's calls, recovered", f"{tried - len(failed)} of {tried}", "all", "-", "no" if failed else "yes")
