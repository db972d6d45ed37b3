"""The life of a package, with something broken at one of its steps, and what comes of it after the usual repair.

A life is one command of apt or dpkg on a disk that is prepared. It is first followed undisturbed, which gives its steps
and how the disk is to look at its end (`footprint`). Then each fault has a disk of its own: the step is broken, what an
administrator types next is typed, and the disk has to look as if nothing had happened. systemd does not run in these
machines, so that a fault takes seconds; `tracer` says what a step is, and which kinds of faults there are.
"""

import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from . import footprint
from .machine import Machine
from .places import PROJECT

# Of a package whose files it was about to replace, dpkg says here that it has to be installed again, which apt does then
# with what is on these disks.
CONFIGURE = "dpkg --configure -a"
REPAIR = (CONFIGURE, "apt-get -q -y --fix-broken install")
# What says to an administrator how it goes on.
SAYS_WHAT_TO_DO = re.compile(r"hint: |dpkg --configure -a|apt --fix-broken install")
NO_SPACE = re.compile(r"no (storage )?space|space left|some space|disk (is )?full", re.IGNORECASE)
# Of a step that comes more often than this, the one in the middle and the last are broken too.
MANY = 20


@dataclass(frozen=True)
class Life:
    """One command on the disk `disk`, that `fails` even undisturbed or not, and `last` after it; `spoil` is run before, and
    `repair` after what went wrong."""

    name: str
    disk: str
    command: str
    last: str
    repair: tuple = REPAIR
    spoil: str = "true"
    fails: bool = False


@dataclass(frozen=True)
class Fault:
    life: Life
    kind: str
    step: tuple
    occurrence: int = 1

    def __str__(self):
        script, program, what, path = self.step
        return f"{self.life.name}: {self.kind} at {what} {path} by {program} in `{script}`, time {self.occurrence}"


@dataclass
class Traced:
    """What happened: [(step, how often, whether it takes space)], whether the fault was reached, exit code, output."""

    steps: list
    reached: bool
    code: int
    output: str


@dataclass
class Tally:
    """Faults that were tried, and why each one that was not recovered from was not."""

    tried: int = 0
    not_reached: list = field(default_factory=list)
    failed: list = field(default_factory=list)

    def __str__(self):
        more = f", {len(self.not_reached)} more not reached" if self.not_reached else ""
        return f"faults tried: {self.tried}, recovered: {self.tried - len(self.failed)}{more}"


def follow(machine, command, fault=None, timeout=600):
    """Run `command` in the machine, whatever comes of it, with `fault` in it."""
    asked = {"root": str(machine.root), "fault": fault and [fault.kind, list(fault.step), fault.occurrence]}
    with tempfile.NamedTemporaryFile("r") as answer:
        done = subprocess.run(
            [sys.executable, "-m", "tests.machines.tracer", json.dumps(asked), answer.name, *machine.command(command)],
            cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=timeout,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the tracer ended with {done.returncode}: {done.stdout[-3000:]}")
        told = json.load(answer)
    steps = [(tuple(step), count, space) for *step, count, space in told["steps"]]
    return Traced(steps, told["reached"], told["code"], done.stdout)


def faults_of(life, steps):
    """Every fault: each kind of kill at each step, and a full disk at each that takes space."""
    for step, count, space in steps:
        times = [1] if count <= MANY else [1, count // 2, count]
        for kind in ("all", "script", *(["full"] if space else [])):
            for occurrence in times:
                yield Fault(life, kind, step, occurrence)


def sample(faults, most):
    """At most about `most` of them: the first, the last, and evenly between; always the same ones."""
    if len(faults) <= most:
        return list(faults)
    return [faults[round(index * (len(faults) - 1) / (most - 1))] for index in range(most)]


class Workshop:
    """Disks by name, as layers for machines of `suite`."""

    def __init__(self, suite, disks):
        self.suite, self.disks = suite, disks

    def machine(self, life):
        return Machine(self.suite, offline=True, layers=self.disks[life.disk])

    def record(self, life):
        """The undisturbed life, and the footprint before and after."""
        with self.machine(life) as machine:
            machine.run(life.spoil)
            before = footprint.take(machine.root)
            traced = follow(machine, life.command)
            if (traced.code != 0) != life.fails:
                raise AssertionError(f"`{life.command}` ended with {traced.code}:\n{traced.output[-3000:]}")
            self.repair(machine, life)
            return traced, before, footprint.take(machine.root)

    @staticmethod
    def repair(machine, life):
        """What an administrator types after a failure; all of it has to succeed."""
        for command in (*life.repair, life.last):
            # Each command has a process table of its own here. As on a machine that runs on, the number of a process that was
            # killed, which locks of the passwd tools tell, is not given again at once.
            machine.run(f"echo 20000 > /proc/sys/kernel/ns_last_pid; {command}", check=command != CONFIGURE)
        audit = machine.output("dpkg --audit")
        if audit:
            raise AssertionError(f"dpkg --audit: {audit}")

    def attempt(self, fault, before, after):
        """Whether the fault was reached; AssertionError where it was not recovered from."""
        with self.machine(fault.life) as machine:
            machine.run(fault.life.spoil)
            traced = follow(machine, fault.life.command, fault)
            if not traced.reached:
                return False
            if fault.kind == "full" and traced.code != 0 and not fault.life.fails:
                if not (NO_SPACE.search(traced.output) and SAYS_WHAT_TO_DO.search(traced.output)):
                    raise AssertionError(f"it is not said what to do:\n{traced.output[-3000:]}")
            try:
                self.repair(machine, fault.life)
                differences = footprint.differences(before, after, footprint.take(machine.root))
                if differences:
                    raise AssertionError("\n".join(differences))
            except AssertionError as error:
                raise AssertionError(f"{error}\nat the fault it said:\n{traced.output[-2000:]}") from error
            return True

    def attempt_all(self, life, most, workers=2):
        """A sample of `most` faults of a life, or all of them if it is None."""
        traced, before, after = self.record(life)
        faults = list(faults_of(life, traced.steps))
        tally = Tally()

        def attempt(fault):
            try:
                return fault, self.attempt(fault, before, after), None
            except Exception as error:  # the others are tried all the same
                return fault, True, error

        with ThreadPoolExecutor(workers) as pool:
            for fault, reached, error in pool.map(attempt, faults if most is None else sample(faults, most)):
                tally.tried += reached
                if not reached:
                    tally.not_reached.append(fault)
                if error:
                    tally.failed.append((fault, error))
        return tally
