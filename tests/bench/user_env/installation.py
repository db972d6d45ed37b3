"""An installation that is thrown away, and how long its commands take."""

import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.user_env.bundles import parts
from tests.user_env.disks import new_file_system

DISK = 16 << 30
# What `--verbose` prints of a step: its text, without the generation's number, and its seconds.
STEP = re.compile(r"^debug: (.*?)(?: \d+)?: ([\d.]+) s$", re.MULTILINE)


class Installation:
    def __init__(self, root, program):
        self.root, self.program = root, program
        self.link = root / "opt/tljh/user"
        self.generations = root / "opt/tljh/generations"

    def run(self, *arguments):
        """Seconds by the clock, and those of each step, of a command with everything before it on disk."""
        subprocess.run(["sync", "-f", self.root], check=True)
        command = [self.program, "--root", self.root, "--verbose", *arguments]
        took, done = timed(command)
        return took, {text: float(seconds) for text, seconds in STEP.findall(done.stderr)}

    def remove(self):
        """Removes the environment with all its generations."""
        self.link.unlink(missing_ok=True)
        shutil.rmtree(self.generations, ignore_errors=True)

    def pip(self, *arguments):
        """Seconds of pip in the active environment."""
        subprocess.run(["sync", "-f", self.root], check=True)
        return timed([self.link / "bin/python", "-m", "pip", "--quiet", *arguments])[0]


@contextmanager
def new_installation(program, bundle, folder):
    with tempfile.TemporaryDirectory(prefix="tljh-bench-", dir=folder) as made, new_disk(Path(made)) as root:
        lib = root / "usr/lib/tljh-user-env"
        lib.mkdir(parents=True)
        for name, target in parts(bundle).items():
            (lib / name).symlink_to(target)
        yield Installation(root, program)


@contextmanager
def new_disk(folder):
    """An empty ext4 as Debian's installer makes it. One without a journal takes no inode again for minutes after it was
    freed, and looks through all of these for each new file: ten seconds for the files of one environment."""
    root = folder / "mounted"
    root.mkdir()
    folder.chmod(0o755)
    make = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    with new_file_system(folder / "disk", DISK, make, root):
        yield root


def timed(command):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1800, cwd="/")
    took = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-500:]}")
    return took, done
