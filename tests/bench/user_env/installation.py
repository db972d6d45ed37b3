"""An installation that is thrown away, and how long its commands take."""

import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.user_env.bundles import parts

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
    with tempfile.TemporaryDirectory(prefix="tljh-bench-", dir=folder) as made:
        root = Path(made)
        root.chmod(0o755)
        lib = root / "usr/lib/tljh-user-env"
        lib.mkdir(parents=True)
        for name, target in parts(bundle).items():
            (lib / name).symlink_to(target)
        yield Installation(root, program)


def timed(command):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1800, cwd="/")
    took = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-500:]}")
    return took, done
