"""The Debian trees that machines start from: made once a suite, kept outside the checkout.

A tree is what a small cloud server has: systemd, sudo, python3, a resolver, apt with its
lists.  Mirrors and extra certificate authorities are the host's own.
"""

import functools
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from .places import CACHE, locked, unmount_below

PACKAGES = (
    "systemd systemd-sysv libpam-systemd dbus udev sudo python3 ca-certificates curl "
    "iproute2 procps netbase kmod adduser apt-utils less gpgv"
).split()

AUTHORITIES = Path("/usr/local/share/ca-certificates")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
RECIPE = 1


@functools.cache
def mirrors():
    """(site, pocket) of the host's Debian sources; pocket is "", "-updates" or "-security"."""
    codename = subprocess.run(
        ["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE) $(RELEASE)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout
    found = []
    for line in targets.splitlines():
        origin, site, release = line.split(" ")
        pocket = release.removeprefix(codename)
        if origin.startswith("Debian") and pocket in ("", "-updates", "-security"):
            if (site, pocket) not in found:
                found.append((site, pocket))
    if not found:
        raise RuntimeError("the host has no Debian sources; run `apt-get update`")
    return found


def authorities():
    """Certificate files that the host's administrator added to Debian's."""
    return sorted(AUTHORITIES.glob("*.crt")) if AUTHORITIES.is_dir() else []


def ensure_base(suite, extra=()):
    """Return the tree of `suite` with the Debian packages `extra` besides PACKAGES."""
    packages = [*PACKAGES, *sorted(set(extra))]
    certificates = [path.read_text() for path in authorities()]
    key = json.dumps([RECIPE, suite, packages, certificates, mirrors()])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    tree = CACHE / "base" / f"{suite}-{digest}"
    with locked("base"):
        if not tree.is_dir():
            make_base(suite, packages, tree)
    return tree


def make_base(suite, packages, tree):
    partial = tree.with_name(tree.name + ".partial")
    # An mmdebstrap that was killed leaves /proc and /sys of the host mounted there.
    unmount_below(partial)
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    sources = [f"deb {site} {suite}{pocket} main" for site, pocket in mirrors()]
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--skip=cleanup/apt/lists",
         "--aptopt=Acquire::Languages \"none\"",
         f"--include={','.join(packages)}", suite, partial, *sources],
        capture_output=True, text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if made.returncode != 0:
        raise RuntimeError(f"mmdebstrap {suite}: {made.stderr[-2000:]}")
    add_authorities(partial)
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        (partial / name).unlink(missing_ok=True)
    (partial / "etc/machine-id").touch()
    partial.rename(tree)


def add_authorities(tree):
    """Trust what the host trusts, so that pip inside reaches the index where TLS is inspected."""
    certificates = authorities()
    if not certificates:
        return
    target = tree / AUTHORITIES.relative_to("/")
    target.mkdir(parents=True, exist_ok=True)
    for path in certificates:
        shutil.copyfile(path, target / path.name)
    subprocess.run(["chroot", tree, "update-ca-certificates"], check=True, capture_output=True)
    (tree / "etc/pip.conf").write_text(f"[global]\ncert = {BUNDLE}\n")
    (tree / "etc/uv").mkdir(exist_ok=True)
    (tree / "etc/uv/uv.toml").write_text("native-tls = true\n")
