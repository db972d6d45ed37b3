"""The whole life of tljh-archive-keyring, by dpkg itself, in an empty tree and without root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.machines.places import suites
from tests.package.debs import read_debs

KEYRING = "usr/share/keyrings/tljh-archive-keyring.gpg"
SOURCES = "etc/apt/sources.list.d/tljh.sources"
SHIPPED = "usr/share/tljh-archive-keyring/tljh.sources"
NOBODY = 65534


class Tree:
    """A tree that dpkg takes for a machine; what dpkg and the scripts do there, they do as nobody."""

    def __init__(self, root, deb):
        self.root = root
        self.deb = root / deb.path.name
        for name in ("etc/apt/sources.list.d", "var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log"):
            (root / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        shutil.copyfile(deb.path, self.deb)
        if os.geteuid() == 0:
            subprocess.run(["chown", "--recursive", f"{NOBODY}:{NOBODY}", root], check=True)
        self.before = self.paths()

    def dpkg(self, *arguments):
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [*user, "dpkg", f"--root={self.root}", "--force-script-chrootless", "--force-not-root", "--force-depends",
             "--log=/dev/null", *map(str, arguments)],
            capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        assert made.returncode == 0, made.stdout + made.stderr

    def install(self):
        self.dpkg("--install", self.deb)

    def paths(self):
        """Everything but what dpkg keeps for itself."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*")}
        return {path for path in found if not path.startswith("var/lib/dpkg/")}

    def read(self, name):
        return (self.root / name).read_bytes()

    def write(self, name, text):
        (self.root / name).write_text(text)
        if os.geteuid() == 0:
            os.chown(self.root / name, NOBODY, NOBODY)


@pytest.fixture(params=suites())
def tree(request):
    # pytest's own folders are closed to nobody.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Tree(Path(folder) / "tree", read_debs(request.param)["tljh-archive-keyring"])


def test_installing_adds_the_repository_and_its_key(tree):
    tree.install()
    assert tree.read(SOURCES) == tree.read(SHIPPED)
    assert f"Signed-By: /{KEYRING}" in tree.read(SOURCES).decode()
    assert len(tree.read(KEYRING)) > 100


def test_purging_leaves_nothing(tree):
    tree.install()
    tree.dpkg("--purge", "tljh-archive-keyring")
    assert tree.paths() == tree.before


def test_removing_keeps_the_entry_where_apt_does_not_read_it(tree):
    tree.install()
    tree.write(SOURCES, "changed by the administrator\n")
    tree.dpkg("--remove", "tljh-archive-keyring")
    assert not (tree.root / SOURCES).exists()
    tree.install()
    assert tree.read(SOURCES) == b"changed by the administrator\n"
    assert not (tree.root / f"{SOURCES}.save").exists()
    tree.dpkg("--remove", "tljh-archive-keyring")
    tree.dpkg("--purge", "tljh-archive-keyring")
    assert tree.paths() == tree.before


def test_an_entry_that_exists_is_kept(tree):
    tree.write(SOURCES, "written by hand before\n")
    tree.install()
    assert tree.read(SOURCES) == b"written by hand before\n"


def test_an_upgrade_keeps_the_entry(tree):
    tree.install()
    tree.write(SOURCES, "changed by the administrator\n")
    tree.install()
    assert tree.read(SOURCES) == b"changed by the administrator\n"


def test_configuring_twice_is_as_once(tree):
    tree.dpkg("--unpack", tree.deb)
    # As a script that was killed between its two steps leaves it.
    tree.write(f"{SOURCES}.dpkg-new", "half")
    tree.dpkg("--configure", "tljh-archive-keyring")
    assert tree.read(SOURCES) == tree.read(SHIPPED)
    tree.dpkg("--purge", "tljh-archive-keyring")
    assert tree.paths() == tree.before
