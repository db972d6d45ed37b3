"""Another version of the packages in dist/debs, with other contents and the same programs."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.user_env.bundles import Lock

from .places import DIST

LIB = "usr/lib/tljh-user-env"


class Newer:
    """The packages of `suite` as a next version, unpacked in `folder` for changes; `bundle` is the user environment's."""

    def __init__(self, suite, folder, number):
        self.folder = folder
        for deb in (DIST / "debs" / suite).glob("*.deb"):
            unpacked = folder / deb.name.split("_")[0]
            subprocess.run(["dpkg-deb", "-R", deb, unpacked], check=True)
            control = unpacked / "DEBIAN/control"
            version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
            self.version = f"{version}.{number}"
            # The packages name each other's version too.
            control.write_text(control.read_text().replace(version, self.version))
        self.bundle = Lock(folder / "tljh-user-env" / LIB)

    def packages(self):
        return sorted(self.folder.iterdir())

    def build(self, target):
        """Makes the packages in the folder `target`; done once."""
        for unpacked in self.packages():
            # Hashes of files are of no concern here.
            (unpacked / "DEBIAN/md5sums").unlink(missing_ok=True)
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", unpacked, target], check=True,
                           stdout=subprocess.DEVNULL)
            shutil.rmtree(unpacked)

    def attempt(self, machine):
        """Has apt bring the machine to this version, whatever comes of it; done once."""
        self.build(machine.root / "var/tmp")
        return self.repeat(machine)

    @staticmethod
    def repeat(machine):
        return machine.run("apt-get install --yes --quiet --allow-downgrades /var/tmp/*.deb", check=False, timeout=600)

    def install(self, machine):
        """Has apt upgrade the machine; what it printed."""
        done = self.attempt(machine)
        machine.run("rm /var/tmp/*.deb")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def renumber_debs(suite, target, suffix):
    """Write the packages of `suite` into the folder `target`, their version longer by `suffix`; returns it."""
    with tempfile.TemporaryDirectory() as folder:
        newer = Newer(suite, Path(folder), suffix.removeprefix("."))
        newer.build(target)
    return newer.version


def index_debs(folder):
    """Make `folder` a repository without a signature, of one folder alone."""
    packages = subprocess.run(
        ["apt-ftparchive", "packages", "."], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    (folder / "Packages").write_text(packages)
