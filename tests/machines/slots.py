"""One number for each machine on this host, and the end of machines whose maker has died.

A slot is a directory in STATE with the maker's and the machine's process in it.  Processes
are named by pid and start time, so that a reused pid is never taken for them.
"""

import os
import shutil
import signal
from pathlib import Path

from .network import Wire
from .places import CACHE, STATE, locked, unmount_below, wait_for

CGROUPS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


def process_mark(pid):
    """`pid` and its start time, or None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else f"{pid} {fields[19]}"


def read_live_pid(path):
    """The pid in the mark file `path`, if that very process still lives."""
    try:
        mark = path.read_text()
    except FileNotFoundError:
        return None
    return int(mark.split()[0]) if mark and process_mark(mark.split()[0]) == mark else None


class Slot:
    def __init__(self, index):
        self.index = index
        self.directory = STATE / str(index)

    def note_process(self, pid):
        (self.directory / "machine").write_text(process_mark(pid) or "")

    def enter_cgroups(self):
        """Called in the child: each machine manages a control group tree of its own."""
        for top in CGROUPS:
            if Path(top).is_dir():
                group = Path(top) / f"tljh-machine-{self.index}"
                group.mkdir(exist_ok=True)
                (group / "cgroup.procs").write_text(str(os.getpid()))

    def clean(self):
        pid = read_live_pid(self.directory / "machine")
        if pid:
            end_machine(pid)
        disk = CACHE / "machines" / str(self.index)
        unmount_below(disk)
        shutil.rmtree(disk, ignore_errors=True)
        Wire(self.index).down()
        for top in CGROUPS:
            remove_group(Path(top) / f"tljh-machine-{self.index}")
        shutil.rmtree(self.directory, ignore_errors=True)


def end_machine(pid):
    """Kill the machine's first process, upon which the kernel ends all the others."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    # QEMU has none.
    for first in (children.read_text().split() if children.exists() else []) or [pid]:
        os.kill(int(first), signal.SIGKILL)
    try:
        wait_for(lambda: process_mark(pid) is None, 20, f"end of process {pid}")
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)


def remove_group(group):
    """Remove an empty control group and those below it."""
    if not group.is_dir():
        return
    for path, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass  # a process is still leaving; the group is reused


def take():
    """A free slot, owned by this process."""
    clean_leftovers()
    with locked("slots"):
        for index in range(1, 250):
            slot = Slot(index)
            if not slot.directory.exists():
                slot.directory.mkdir(parents=True)
                (slot.directory / "owner").write_text(process_mark(os.getpid()))
                return slot
    raise RuntimeError("every machine number is in use")


def clean_leftovers():
    """End the machines whose makers are gone."""
    with locked("slots"):
        for directory in STATE.glob("[0-9]*"):
            if read_live_pid(directory / "owner") is None:
                Slot(int(directory.name)).clean()
