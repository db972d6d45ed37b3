"""The packages of a build as a next version, with the same content."""

import re
import subprocess

from .places import DIST


def renumber_debs(suite, target, suffix):
    """Write the packages of `suite` into the folder `target`, their version longer by `suffix`; returns it."""
    for deb in (DIST / "debs" / suite).glob("*.deb"):
        unpacked = target / deb.name.split("_")[0]
        subprocess.run(["dpkg-deb", "-R", deb, unpacked], check=True)
        control = unpacked / "DEBIAN/control"
        old = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
        # The packages name each other's version too.
        control.write_text(control.read_text().replace(old, old + suffix))
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "-b", unpacked, target], check=True, stdout=subprocess.DEVNULL
        )
        subprocess.run(["rm", "-r", unpacked], check=True)
    return old + suffix


def index_debs(folder):
    """Make `folder` a repository without a signature, of one folder alone."""
    packages = subprocess.run(
        ["apt-ftparchive", "packages", "."], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    (folder / "Packages").write_text(packages)
