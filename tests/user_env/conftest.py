"""The program under test, on an environment that it made from the project's own bundle.

Root is needed, a network is not.
TLJH_USER_ENV and TLJH_CONDA name the programs, else the debug builds are taken. The suite is the one whose Python this machine has.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.machines.places import PROJECT
from tests.user_env.bundles import parts
from tests.user_env.index import Index
from tests.user_env.wheels import make_wheel

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
PROGRAM = Path(os.environ.get("TLJH_USER_ENV", TARGET / "debug" / "tljh-user-env")).absolute()
CONDA = Path(os.environ.get("TLJH_CONDA", TARGET / "debug" / "tljh-conda")).absolute()
SUITE = {(3, 11): "bookworm", (3, 13): "trixie"}[sys.version_info[:2]]


class Nowhere:
    """No index: nothing listens there."""

    url = "http://127.0.0.1:9/"


class Installation:
    """An installation below `root`, at a path that never changes: programs name their interpreter by it."""

    def __init__(self, root):
        self.root = root
        self.link = root / "opt/tljh/user"
        self.generations = root / "opt/tljh/generations"
        self.wheels = root / "wheels"
        self.index = None

    def command(self, *arguments):
        return [PROGRAM, "--root", self.root, *map(str, arguments)]

    def environment(self, **settings):
        """No index but the tests' own."""
        kept = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "UV_DEFAULT_INDEX": self.index.url,
                "UV_HTTP_RETRIES": "0"}
        return {**kept, **settings}

    def run(self, *arguments, check=True, umask=None, **settings):
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env=self.environment(**settings),
            stdin=subprocess.DEVNULL, preexec_fn=umask and (lambda: os.umask(umask)),
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def active(self):
        """The number of the active generation."""
        target = os.readlink(self.link)
        assert target.startswith("generations/")
        return int(target.removeprefix("generations/"))

    def numbers(self):
        """The numbers of all generations that have a folder or a record."""
        names = {path.name.removesuffix(".json") for path in self.generations.iterdir()}
        return sorted(int(name) for name in names if name.isdigit())

    def folder(self, number):
        return self.generations / str(number)

    def site(self, number=None):
        base = self.link if number is None else self.folder(number)
        return next((base / "lib").glob("python3.*")) / "site-packages"

    def python(self, code, check=True, **options):
        """What `code` prints in the active environment."""
        done = subprocess.run(
            [self.link / "bin/python", "-c", code], capture_output=True, text=True, cwd="/",
            env={"PATH": "/usr/bin:/bin"}, **options,
        )
        if check and done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip() if check else done

    def pip(self, *arguments, umask=0o022):
        """What administrators do by hand."""
        subprocess.run(
            [self.link / "bin/pip", "-q", *map(str, arguments)], check=True, cwd="/",
            env={"PATH": "/usr/bin:/bin", "PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                 "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)},
            preexec_fn=lambda: os.umask(umask),
        )

    def processes(self, *whose):
        """Those that work on a generation."""
        command = ["pgrep", *whose, "-f", f"{self.generations}/"]
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    def make_wheel(self, *arguments, **options):
        return make_wheel(self.wheels, *arguments, **options)


def place_bundle(root):
    """An installation below `root` with everything but an environment."""
    bundle = subprocess.run(
        [PROJECT / "packaging/environments.sh", SUITE], check=True, capture_output=True, text=True,
    ).stdout.strip()
    made = Installation(root)
    made.index = Nowhere
    lib = root / "usr/lib/tljh-user-env"
    lib.mkdir(parents=True)
    for name, target in {**parts(Path(bundle)), "tljh-conda": CONDA}.items():
        (lib / name).symlink_to(target)
    return made


@pytest.fixture(scope="session")
def workshop():
    """A folder that everybody may enter, with a new installation kept aside."""
    folder = Path(tempfile.mkdtemp(prefix="tljh-user-env-"))
    # In memory: tens of thousands of files for each test.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=4g", "user-env", folder], check=True)
    made = place_bundle(folder / "root")
    made.run("ensure")
    made.run("compile")
    made.root.rename(folder / "new")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@pytest.fixture
def installation(workshop):
    """A new installation with generation 1, the bundle's own, for one test."""
    yield from a_copy(workshop, "new")


def a_copy(workshop, kept):
    """The installation that was kept aside as `kept`, with an index of its own."""
    root = workshop / "root"
    subprocess.run(["cp", "-al", workshop / kept, root], check=True)
    made = Installation(root)
    made.index = Index(made.wheels)
    yield made
    made.index.close()
    shutil.rmtree(root)


@pytest.fixture
def unchanged(installation):
    """After the test the active generation is the one from before, whole, and there is no other."""
    installation.make_wheel("lesson", "1.0")
    before = installation.numbers(), installation.active(), look(installation)
    yield
    assert (installation.numbers(), installation.active(), look(installation)) == before
    assert installation.python("import jupyterhub, jupyterlab; print(1)") == "1"


def look(installation):
    """Every file of the active generation but bytecode, as far as its metadata tell whether it was touched."""
    folder = installation.folder(installation.active())
    told = subprocess.run(
        ["find", folder, "-name", "__pycache__", "-prune", "-o", "!", "-type", "d", "-printf", r"%P %i %T@ %m %s\0"],
        capture_output=True, text=True, check=True,
    )
    return set(told.stdout.split("\0"))
