"""The built packages as tests read them, and a Debian system that has them unpacked."""

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.machines.base import ensure_base
from tests.machines.places import CACHE, DIST

NAMES = ("tljh", "tljh-hub", "tljh-config", "tljh-user-env", "tljh-proxy", "tljh-archive-keyring")
PROGRAMS = ("tljh-hub", "tljh-config", "tljh-user-env", "tljh-proxy")
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
# What reads the packages' files: manual pages, completions, rules of sudo, news.
READERS = {suite: ["man-db", "zsh", "fish", "debconf-utils", "apt-listchanges"] for suite in PYTHON}
READERS["trixie"].append("sudo-rs")


class Deb:
    """One built package."""

    def __init__(self, path):
        self.path = path
        control = run("dpkg-deb", "-f", path).stdout
        self.fields = dict(re.findall(r"^([A-Z][\w-]*): *(.*)$", control, re.MULTILINE))
        self.name = self.fields["Package"]
        self.version = self.fields["Version"]
        with tempfile.TemporaryFile() as plain:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", path], stdout=plain, check=True)
            plain.seek(0)
            with tarfile.open(fileobj=plain) as archive:
                self.members = {"/" + m.name.strip("./"): m for m in archive}

    @property
    def depends(self):
        """{name: [relation, ...]} of Depends, alternatives apart."""
        found = {}
        for one in re.split(r"\s*[,|]\s*", self.fields.get("Depends", "")):
            name, _, relation = one.partition(" ")
            found.setdefault(name, []).append(relation.strip("()"))
        return found

    def files(self):
        """{path: member} of everything that is no directory."""
        return {path: m for path, m in self.members.items() if not m.isdir()}

    def script(self, name):
        """Text of a maintainer script or other control file; empty where the package has none."""
        return run("dpkg-deb", "--ctrl-tarfile", self.path, decode=False, pipe=["tar", "-xO", f"./{name}"])


def run(*command, decode=True, pipe=None):
    made = subprocess.run(command, capture_output=True, text=decode, check=True)
    if pipe is None:
        return made
    return subprocess.run(pipe, input=made.stdout, capture_output=True).stdout.decode()


def read_debs(suite):
    """{name: Deb} of the suite; every package exactly once."""
    found = [Deb(path) for path in sorted((DIST / "debs" / suite).glob("*.deb"))]
    if sorted(deb.name for deb in found) != sorted(NAMES):
        raise RuntimeError(f"`dist/debs/{suite}` has {[deb.path.name for deb in found]}; run `make debs`")
    return {deb.name: deb for deb in found}


class System:
    """A throw-away Debian tree, used through chroot, without a network."""

    def __init__(self, suite):
        base = ensure_base(suite, READERS[suite])
        (CACHE / "machines").mkdir(exist_ok=True)
        self.disk = Path(tempfile.mkdtemp(prefix="package-", dir=CACHE / "machines"))
        self.root = self.disk / "root"
        for name in ("root", "upper", "work"):
            (self.disk / name).mkdir()
        options = f"lowerdir={base},upperdir={self.disk}/upper,workdir={self.disk}/work"
        run("mount", "-t", "overlay", "package", "-o", options, self.root)
        run("mount", "-t", "proc", "proc", self.root / "proc")

    def run(self, *command, check=True, user=None, environment=None):
        """Run `command` inside, as root or as `user`; its output is captured as text."""
        as_user = [f"--userspec={user}"] if user else []
        settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8",
                    "DEBIAN_FRONTEND": "noninteractive", **(environment or {})}
        made = subprocess.run(["unshare", "--net", "chroot", *as_user, self.root, *map(str, command)],
                              capture_output=True, text=True, env=settings)
        if check and made.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: {made.returncode}\n{made.stdout}{made.stderr}")
        return made

    def unpack(self, *debs, check=True):
        """dpkg --unpack, with preinst; relations are apt's business and not looked at."""
        (self.root / "debs").mkdir(exist_ok=True)
        run("mount", "--bind", debs[0].path.parent, self.root / "debs")
        try:
            return self.run("dpkg", "--force-depends", "--unpack",
                            *(f"/debs/{deb.path.name}" for deb in debs), check=check)
        finally:
            run("umount", self.root / "debs")

    def close(self):
        run("umount", self.root / "proc")
        run("umount", self.root)
        run("rm", "-rf", self.disk)
