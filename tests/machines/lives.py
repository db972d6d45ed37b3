"""The lives of our packages that `faults` breaks, and the disks on which they begin.

Between them dpkg calls each of our scripts in each way that it has for them (Debian Policy 6.5 and 6.6). Only `tljh` has
a next version, since most scripts and all that they do are its own.
"""

import re
import shutil
import subprocess
from pathlib import Path

from .faults import REPAIR, Life, Workshop
from .hub_client import HubClient
from .install import SOURCES, read_admin_password, wait_for_login_page
from .layers import installed_layers
from .machine import Machine
from .newer import index_debs
from .places import CACHE, DIST, ensure_kept

# To be counted on when the disks are made otherwise.
RECIPE = 1
NEXT, SHELF = "/srv/next", "/srv/shelf"
FAILING, RIVAL = f"{NEXT}-failing", "/srv/rival"
INSTALL = "apt-get -q -y install tljh"
REMOVE = "apt-get -q -y remove tljh"
PURGE = "apt-get -q -y purge tljh"
# As dpkg alone takes it, in any state but half unpacked, of which it says that it is to be installed again before.
FORGET = "dpkg --purge tljh || { apt-get -q -y --fix-broken install && dpkg --purge tljh; }"
PYTHON = "dpkg-trigger --no-await --by-package=python3-minimal /usr/bin/python3 && dpkg --triggers-only tljh"
RECONFIGURE = "dpkg-reconfigure -fnoninteractive tljh"
KEYRING = f"dpkg --install {SHELF}/tljh-archive-keyring_*.deb"
PRERM = "/var/lib/dpkg/info/tljh.prerm"
# What people have that no fault may take away.
NOTES = "/home/jupyter-admin/notes.txt"
PASSWORD_NOTE = "/root/password-of-admin"
SNIPPET = "/etc/tljh/jupyterhub_config.d/50-ours.py"
SETTINGS = "# ours\nusers:\n  admin: [admin]\nlimits:\n  memory: 700M\n"

LIVES = [
    Life("first installation", "purged", INSTALL, INSTALL),
    Life("first installation, then purge", "purged", INSTALL, FORGET, repair=()),
    Life("upgrade", "installed", INSTALL, INSTALL),
    Life("upgrade, then purge", "installed", INSTALL, FORGET, repair=()),
    Life("upgrade whose preinst fails", "installed", f"dpkg --install {FAILING}/tljh_*.deb", INSTALL, fails=True),
    Life("upgrade whose old prerm fails", "installed", f"dpkg --install {NEXT}/tljh_*.deb", INSTALL,
         spoil=f"sed -i 's/^set -e$/&\\n[ \"$1\" != upgrade ] || exit 1/' {PRERM}"),
    Life("removal", "installed", REMOVE, REMOVE),
    Life("removal, taken back", "installed", REMOVE, INSTALL),
    Life("removal whose prerm fails", "installed", "dpkg --remove tljh", "true", fails=True,
         spoil=f"cp -p {PRERM} /var/tmp/; echo exit 1 >> {PRERM}", repair=(f"cp -p /var/tmp/tljh.prerm {PRERM}", *REPAIR)),
    Life("installation after removal", "removed", INSTALL, INSTALL),
    Life("purge", "installed", PURGE, PURGE),
    Life("purge after removal", "removed", PURGE, PURGE),
    Life("purge of everything", "installed", "apt-get -q -y purge 'tljh*'", "apt-get -q -y purge 'tljh*'"),
    Life("another package in the place of one of ours, that fails", "installed",
         f"dpkg --auto-deconfigure --install {RIVAL}/*.deb", "true", fails=True,
         repair=("dpkg --force-remove-reinstreq --purge rival", *REPAIR)),
    Life("another Python of the system", "installed", PYTHON, PYTHON),
    Life("new answers", "installed", RECONFIGURE, RECONFIGURE),
    Life("keyring", "bare", KEYRING, KEYRING),
    Life("keyring, removed and installed", "installed",
         f"dpkg --remove tljh tljh-archive-keyring && {KEYRING} && {INSTALL}", f"{KEYRING} && {INSTALL}",
         # apt knows of no source of it here.
         repair=(KEYRING, *REPAIR)),
]


def ensure_workshop(suite, repository):
    """A Workshop with every disk that a life begins on, made once for each build of the packages."""
    base, installed = installed_layers(suite, repository)
    folder = ensure_kept(
        CACHE / "lives" / f"{installed.name}-{RECIPE}", suite, lambda target: make_disks(suite, repository, base, installed, target)
    )
    used = [base, installed, folder / "used"]
    return Workshop(suite, {
        "installed": used, "removed": [*used, folder / "removed"], "purged": [*used, folder / "purged"],
        "bare": [base, folder / "bare"],
    })


def make_disks(suite, repository, base, installed, folder):
    with Machine(suite, repository, offline=True, layers=[base, installed]) as machine:
        use(machine.boot(), suite)
        machine.keep_disk(folder / "used")
    for name, command in {"removed": REMOVE, "purged": PURGE}.items():
        with Machine(suite, offline=True, layers=[base, installed, folder / "used"]) as machine:
            machine.run(command)
            machine.keep_disk(folder / name)
    with Machine(suite, offline=True, layers=[base]) as machine:
        put_debs(machine, suite)
        machine.keep_disk(folder / "bare")


def use(machine, suite):
    """A first lesson: a server, notes, settings and a snippet of the administrator, another account of the hub, and the next
    version of the package on a shelf of its own."""
    wait_for_login_page(machine)
    password = read_admin_password(machine)
    teacher = HubClient(machine.url, "admin").login(password)
    # The administrator knows it from now on; the file goes.
    machine.write(PASSWORD_NOTE, password, 0o600)
    teacher.add_user("pupil")
    teacher.start_server()
    machine.run(f"echo what I found out > {NOTES}", user="jupyter-admin")
    machine.run("tljh-hub account ensure -- pupil")
    machine.write(SNIPPET, "c.Spawner.notebook_dir = '~'\n", 0o600)
    machine.write("/etc/tljh/config.yaml", SETTINGS, 0o600)
    machine.run("systemctl restart jupyterhub")
    wait_for_login_page(machine)
    teacher.stop_server()
    put_debs(machine, suite)
    machine.run(f"rm -f {SOURCES} /etc/apt/sources.list /etc/apt/sources.list.d/*")
    machine.write("/etc/apt/sources.list.d/next.list", f"deb [trusted=yes] file:{NEXT} ./\n")
    machine.run("apt-get -q update")


def put_debs(machine, suite):
    """This version of the packages, the next one of `tljh`, one of it that refuses to be installed, and another package that
    refuses too, after dpkg has made room for it."""
    debs = DIST / "debs" / suite
    for folder in (NEXT, FAILING, RIVAL, SHELF):
        (machine.root / folder[1:]).mkdir(parents=True)
    for name in ("tljh", "tljh-archive-keyring"):
        shutil.copy(next(debs.glob(f"{name}_*.deb")), machine.root / SHELF[1:])
    make_next(suite, machine.root / NEXT[1:], ".1")
    index_debs(machine.root / NEXT[1:])

    def refuse(unpacked):
        preinst = unpacked / "DEBIAN/preinst"
        preinst.write_text(preinst.read_text() + "exit 1\n")

    make_next(suite, machine.root / FAILING[1:], ".2", refuse)
    make_rival(machine.root / RIVAL[1:])


def make_next(suite, target, suffix, change=None):
    """Writes into the folder `target` the package `tljh` alone, with a version longer by `suffix`, that goes with the
    other packages as they are."""
    deb = next((DIST / "debs" / suite).glob("tljh_*.deb"))
    unpacked = Path(target) / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, unpacked], check=True)
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)$", rf"\1{suffix}", control.read_text(), flags=re.M))
    if change:
        change(unpacked)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", unpacked, target], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(unpacked)


RIVAL_CONTROL = """Package: rival
Version: 1
Architecture: all
Maintainer: nobody <nobody@tljh.invalid>
Provides: tljh-config
Conflicts: tljh-config
Replaces: tljh-config
Description: takes the place of one of our packages
"""


def make_rival(target):
    """Writes into the folder `target` a package for which dpkg deconfigures `tljh`, and whose preinst fails."""
    control = target / "unpacked/DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(RIVAL_CONTROL)
    (control / "preinst").write_text("#!/bin/sh\nexit 1\n")
    (control / "preinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", control.parent, target], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(control.parent)
