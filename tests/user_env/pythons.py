"""A Debian tree with the Pythons of two releases, one of which is the system's, as in a release upgrade.

The tree is trixie's, with bookworm's Python beside its own: a newer C library serves older programs.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.machines.base import ensure_base
from tests.machines.places import PROJECT
from tests.user_env.bundles import parts
from tests.user_env.conftest import Installation, PROGRAM

OLD, NEW = ("bookworm", "python3.11"), ("trixie", "python3.13")


def mount_overlay(lower, folder, target):
    """Mount at `target` the trees `lower`, highest first; what is written goes to `folder`."""
    for name in ("upper", "work"):
        (folder / name).mkdir(parents=True)
    target.mkdir()
    layers = ":".join(map(str, lower))
    options = f"lowerdir={layers},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, target], check=True)


class System(Installation):
    """An installation in a system of its own, whose root is `root`."""

    def mount(self):
        subprocess.run(["mount", "-t", "proc", "proc", self.root / "proc"], check=True)
        subprocess.run(["mount", "--bind", "/dev", self.root / "dev"], check=True)

    def unmount(self):
        for folder in (self.root / "dev", self.root / "proc", self.root):
            subprocess.run(["umount", "-l", folder], check=True)

    def chroot(self, *command):
        return ["/usr/sbin/chroot", self.root, *map(str, command)]

    def command(self, *arguments):
        return self.chroot("/usr/bin/tljh-user-env", *arguments)

    def python(self, code, check=True):
        done = subprocess.run(
            self.chroot("/opt/tljh/user/bin/python", "-c", code), capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin"},
        )
        if check and done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip() if check else done

    def pip(self, *arguments):
        subprocess.run(
            self.chroot("/opt/tljh/user/bin/pip", "-q", *arguments), check=True,
            env={"PATH": "/usr/bin:/bin", "PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                 "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"},
        )

    def set_python(self, name):
        """Makes `name` the system's Python, as python3-minimal does."""
        link = self.root / "usr/bin/python3"
        link.unlink()
        link.symlink_to(name)

    def remove_python(self, name):
        (self.root / "usr/bin" / name).unlink()
        shutil.rmtree(self.root / "usr/lib" / name)

    def set_bundle(self, suite):
        """Installs what the package of `suite` brings."""
        lib = self.root / "usr/lib/tljh-user-env"
        shutil.rmtree(lib, ignore_errors=True)
        lib.mkdir(parents=True)
        for name, path in parts(bundle(suite)).items():
            subprocess.run(["cp", "-a", path, lib / name], check=True)


def bundle(suite):
    done = subprocess.run([PROJECT / "packaging/environments.sh", suite], check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def make_system(root):
    """Installs the program and the old release's Python and bundle into the new release's tree at `root`."""
    system = System(root)
    suite, python = OLD
    tree = ensure_base(suite)
    for path in (f"usr/bin/{python}", f"usr/lib/{python}"):
        subprocess.run(["cp", "-a", tree / path, root / path], check=True)
    shutil.copy(PROGRAM, root / "usr/bin/tljh-user-env")
    # Whoever made the tree may have told uv of an index.
    shutil.rmtree(root / "etc/uv", ignore_errors=True)
    system.set_python(python)
    system.set_bundle(suite)
    os.makedirs(root / "wheels")
    return system
