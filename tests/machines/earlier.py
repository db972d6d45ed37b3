"""A signed repository with two versions of tljh: the one in `dist`, and before it one with an earlier JupyterHub.

The earlier packages differ from those in `dist` in the hub's environment, in JupyterHub for user servers, and in their
version. Made once for each state of all that, and kept outside the checkout.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.user_env.bundles import Lock

from .places import CACHE, DATA, DIST, PROJECT, ensure_kept
from .repository import Repository, published_url

LOCK = DATA / "hub-5/requirements.txt"
RECIPE = 1


class Earlier:
    """The repository, and the version of its earlier packages."""

    def __init__(self, suite):
        self.folder = ensure_repository(suite)
        self.repository = Repository(self.folder / "apt")
        stanzas = [stanza for stanza in self.repository.packages(suite)]
        self.version = earlier_version(newest_version(suite))
        self.hub = locked_version("jupyterhub")
        names = [stanza["Package"] for stanza in stanzas if stanza["Version"] == self.version]
        #: What `apt install` needs to choose the earlier version.
        self.packages = " ".join(f"{name}={self.version}" for name in sorted(names))


def newest_version(suite):
    deb = next((DIST / "debs" / suite).glob("tljh_*.deb"))
    return subprocess.run(["dpkg-deb", "--field", deb, "Version"], capture_output=True, text=True, check=True).stdout.strip()


def earlier_version(version):
    """A version before `version`, for the same release of Debian."""
    upstream, plus, suite = version.rpartition("+")
    return f"{upstream}~hub5{plus}{suite}"


def locked_version(name):
    return re.search(rf"^{name}==(\S+)", LOCK.read_text(), re.M)[1]


def ensure_repository(suite):
    """The folder that holds the repository of `suite` below `apt`."""
    debs = sorted((DIST / "debs" / suite).glob("*.deb"))
    digest = hashlib.sha256(f"{RECIPE} {published_url(DIST / 'apt')}".encode() + LOCK.read_bytes())
    for deb in debs:
        digest.update(deb.read_bytes())

    def make(target):
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{suite}-") as work:
            make_repository(suite, debs, Path(work), target)

    return ensure_kept(CACHE / "earlier" / f"{suite}-{digest.hexdigest()[:12]}", suite, make)


def make_repository(suite, debs, work, target):
    packages = target / "debs" / suite
    packages.mkdir(parents=True)
    version = newest_version(suite)
    environment = ensure_environment(suite)
    for deb in debs:
        (packages / deb.name).symlink_to(deb)
        unpacked = work / deb.name.split("_")[0]
        run("dpkg-deb", "--raw-extract", deb, unpacked)
        control = unpacked / "DEBIAN/control"
        control.write_text(control.read_text().replace(version, earlier_version(version)))
        # dpkg takes hashes of its own where a package brings none.
        (unpacked / "DEBIAN/md5sums").unlink(missing_ok=True)
        if unpacked.name == "tljh-hub":
            change_hub(unpacked, environment)
        if unpacked.name == "tljh-user-env":
            change_bundle(unpacked, work)
        run("dpkg-deb", "--root-owner-group", "-Znone", "--build", unpacked, packages)
        shutil.rmtree(unpacked)
    run(PROJECT / "packaging/repo/build.sh", environment={
        "TLJH_DIST": str(target), "SUITES": suite, "REPO_URL": published_url(DIST / "apt"),
    })
    shutil.rmtree(target / "debs")


def ensure_environment(suite):
    """The hub's environment with the earlier JupyterHub."""
    printed = run(PROJECT / "packaging/environments.sh", suite, environment={"HUB_REQUIREMENTS": str(LOCK)})
    return Path(printed.strip()) / "hub"


def change_hub(unpacked, environment):
    """The other environment, with the part that is ours."""
    old = unpacked / "opt/tljh/hub"
    ours = next(old.glob("lib/python3.*/site-packages/tljh"))
    kept = unpacked.with_name("tljh-in-hub")
    ours.rename(kept)
    shutil.rmtree(old)
    run("cp", "-a", environment, old)
    kept.rename(unpacked / ours.relative_to(unpacked))


def change_bundle(unpacked, work):
    """JupyterHub as the hub has it, for the user environment."""
    entry = re.search(r"^jupyterhub==.*\n(?:[ \t]+--hash.*\n)+", LOCK.read_text(), re.M)[0]
    wanted = work / "jupyterhub.txt"
    wanted.write_text(entry)
    wheels = work / "wheels"
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:",
        "-r", wanted, "-d", wheels)
    Lock(unpacked / "usr/lib/tljh-user-env").add(next(wheels.glob("*.whl")))


def run(*command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
