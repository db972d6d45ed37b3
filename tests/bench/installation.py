"""From packages downloaded to login page served, beside the bare `dpkg --unpack` of the same files.

What is measured how, on a machine that was booted for the run:

- the packages are downloaded before, so that neither side waits for a network;
- "apt and unpack" ends when dpkg's status line says that it configures a first package;
- "other packages" ends when it says so of `tljh`, which comes last;
- "tljh" is the rest of apt-get's run; in it "environment" goes from the making of its folder to its record,
  by their times on disk, and "services" from the moment when systemd starts the hub to the
  first login page. These two run side by side, so the parts do not add up;
- "page served" goes from apt-get's start to the first login page;
- "total" ends when apt-get has ended and the login page is served, whichever comes last, so that everything
  is ready, the user environment included. The targets are held against this one.
"""

import os
import subprocess
import threading
import time
from statistics import median

from tests.machines.install import add_repository, http_status
from tests.machines.machine import Machine
from tests.machines.places import wait_for

from .figures import Figure, against_peer, against_target, print_heading, print_rows, spread

ARCHIVES = "/var/cache/apt/archives"
STEPS = ("apt and unpack", "other packages", "tljh", "environment", "services", "page served", "total", "bare unpack")


def machine_with_packages(suite, repository):
    """A booted machine that has downloaded tljh and all that it needs, and installed nothing."""
    machine = Machine(suite, repository)
    try:
        machine.boot()
        add_repository(machine)
        machine.run("apt-get -q -y --download-only install tljh", timeout=600)
        # What was downloaded is on disk, so that no run pays for the writing of another.
        os.sync()
    except BaseException:
        machine.destroy()
        raise
    return machine


def measure_unpack(suite, repository):
    """Seconds of the bare `dpkg --unpack`."""
    with machine_with_packages(suite, repository) as machine:
        began = time.monotonic()
        machine.run(f"dpkg --unpack {ARCHIVES}/*.deb", timeout=600)
        return time.monotonic() - began


def measure_installation(machine):
    """The seconds of each step on a machine that has the packages downloaded."""
    page = LoginPage(f"{machine.url}hub/login")
    began = time.monotonic()
    page.start()
    command = ["apt-get", "-q", "-y", "-o", "APT::Status-Fd=1", "install", "tljh"]
    with machine.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as apt:
        configuring, ours, printed = read_status(apt.stdout)
    ended = time.monotonic()
    if apt.returncode != 0:
        page.give_up()
        raise AssertionError(f"apt-get ended with {apt.returncode}\n{printed[-3000:]}")
    served = page.wait()
    made, ready = time_of(machine, "1", "W"), time_of(machine, "1.json", "Y")
    started = machine.output("systemctl show -P InactiveExitTimestampMonotonic jupyterhub")
    return {
        "apt and unpack": configuring - began,
        "other packages": ours - configuring,
        "tljh": ended - ours,
        "environment": ready - made,
        "services": served - int(started) / 1e6,
        "page served": served - began,
        "total": max(ended, served) - began,
    }


def read_status(lines):
    """When dpkg began to configure, when it began with tljh, and all that was printed."""
    first = ours = None
    printed = []
    for line in lines:
        printed.append(line)
        fields = line.split(":")
        if fields[0] == "pmstatus" and line.rstrip().partition(":")[2].split(":")[-1].startswith("Configuring"):
            first = first or time.monotonic()
            if fields[1] == "tljh" and ours is None:
                ours = time.monotonic()
    return first, ours, "".join(printed)


def time_of(machine, name, which):
    """When something of the generations was made ("W" of stat(1)) or last written to ("Y"), on the clock of
    `time.monotonic`."""
    offset = time.time() - time.monotonic()
    path = machine.root / "opt/tljh/generations" / name
    done = subprocess.run(["stat", f"--format=%.6{which}", path], check=True, capture_output=True, text=True)
    return float(done.stdout) - offset


class LoginPage(threading.Thread):
    """Asks for the page ten times a second, and notes when it was first served."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.served, self.stopped = url, None, threading.Event()

    def run(self):
        while self.served is None and not self.stopped.wait(0.1):
            if http_status(self.url) == 200:
                self.served = time.monotonic()

    def wait(self):
        try:
            return wait_for(lambda: self.served, 60, f"{self.url} answers 200")
        finally:
            self.give_up()

    def give_up(self):
        self.stopped.set()


def measure(suite, repository, runs):
    """Figures of `runs` installations, and the last machine, running; each has a bare unpack beside it."""
    print_heading(f"Installation on Debian {suite}, {runs} runs")
    print(__doc__.partition("\n\n")[2])
    steps = {step: [] for step in STEPS}
    for run in range(runs):
        steps["bare unpack"].append(measure_unpack(suite, repository))
        machine = machine_with_packages(suite, repository)
        try:
            for step, seconds in measure_installation(machine).items():
                steps[step].append(seconds)
        except BaseException:
            machine.destroy()
            raise
        if run + 1 < runs:
            machine.destroy()
    rows = [(step, *(f"{value:.1f}" for value in values), spread(values)) for step, values in steps.items()]
    print_rows(("seconds", *(f"run {run + 1}" for run in range(runs)), "least / median"), rows)
    total, unpack = median(steps["total"]), median(steps["bare unpack"])
    served = median(steps["page served"])
    figures = [
        against_target("installation, all ready", total, 20, "s"),
        against_peer("installation, all ready", total, unpack, "s", "bare unpack", limit=2),
        against_target("installation, login page served", served, 20, "s"),
        against_peer("installation, login page served", served, unpack, "s", "bare unpack", limit=2),
    ]
    figures += [
        Figure(f"- {step}", f"{median(steps[step]):.1f} s", "share of the total", f"{median(steps[step]) / total:.2f}", "-")
        for step in STEPS[:5]
    ]
    return machine, figures
