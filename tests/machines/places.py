"""Where the tests keep what they make, and how they wait.

Nothing here is inside the checkout but `dist`, which git ignores.
"""

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DIST = Path(os.environ.get("TLJH_DIST", PROJECT / "dist"))
DATA = PROJECT / "tests" / "data"
CACHE = Path(os.environ.get("TLJH_CACHE", "/var/cache/tljh"))
STATE = Path("/run/tljh-machines")
# An installation and its use write 1 to 2 GB; below this much memory a machine's disk goes to the host's disk.
MEMORY_WANTED = 6 << 30
DISK_SIZE = "6G"
# Seconds after which what is kept, and nobody asked for, is in nobody's use.
UNUSED = 6 * 3600


def suites():
    """The Debian releases under test, from `SUITES` (default: bookworm trixie)."""
    return os.environ.get("SUITES", "bookworm trixie").split()


@contextmanager
def locked(name):
    """Hold the lock `name`, shared by every process on this host."""
    STATE.mkdir(parents=True, exist_ok=True)
    with open(STATE / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_kept(folder, suite, make):
    """`folder` of the cache, whose name begins with `suite`: if it is not there, `make` makes it at the path that it is
    given. Those of the suite beside it that nobody asked for lately go; another checkout's tests may work with the rest.
    """
    with locked(f"{folder.parent.name}-{suite}"):
        if not folder.is_dir():
            for old in folder.parent.glob(f"{suite}-*"):
                if old.stat().st_mtime < time.time() - UNUSED:
                    shutil.rmtree(old)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = folder.with_name(f".{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(folder)
        os.utime(folder)
    return folder


def wait_for(condition, deadline=30.0, what=None, interval=0.1):
    """Return the first true value of `condition()`, asked until `deadline` seconds are over.

    An exception in `condition` counts as "not yet"; the last one is the cause of the
    TimeoutError.
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except Exception as error:  # the caller asked to wait until it works
            last = error
        if time.monotonic() >= end:
            what = what or getattr(condition, "__name__", "condition")
            raise TimeoutError(f"{what}: not true after {deadline} s") from last
        time.sleep(interval)


def memory_available():
    """Bytes of memory that programs could get now."""
    text = Path("/proc/meminfo").read_text()
    return int(text.split("MemAvailable:")[1].split()[0]) << 10


def keep_in_memory(directory):
    """Have what comes into the empty `directory` in memory, where there is enough."""
    if memory_available() > MEMORY_WANTED:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"mode=755,size={DISK_SIZE}", "tljh-machine", directory], check=True
        )


def unmount_below(directory):
    """Unmount all under `directory`, so that removing it removes nothing else."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if Path(mount).is_relative_to(directory):
            subprocess.run(["umount", "-l", mount], check=False)
