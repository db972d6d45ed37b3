"""Packages built by debs.sh itself, apart from dist, from the programs and environments that are there."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.machines.places import CACHE, PROJECT
from tests.reproducible.elsewhere import AT_ITS_OWN_TIME, inputs_of_the_first_build, write_program

TARGET = os.environ.get("CARGO_TARGET_DIR") or f"{CACHE}/target"


def build(suite, packages, folder, umask="022", **settings):
    """{package: path} of `packages` for `suite`, packed anew below the empty `folder`."""
    kept = folder / "kept"
    kept.mkdir(parents=True)
    (folder / "tmp").mkdir()
    # All that costs minutes, but not the packages of earlier runs.
    for name in ("build-root", "environments", "tools", "uv"):
        (kept / name).symlink_to(CACHE / name)
    for name in ("cargo", "rustc"):
        write_program(folder / "bin" / name, AT_ITS_OWN_TIME.format(shutil.which(name)))
    done = subprocess.run(
        ["sh", "-c", 'umask "$1"; shift; exec "$@"', "sh", umask, PROJECT / "packaging/debs.sh"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "CARGO_TARGET_DIR": TARGET, "TLJH_CACHE": str(kept), "TLJH_DIST": str(folder / "dist"),
             "TMPDIR": str(folder / "tmp"), "PATH": f"{folder}/bin:{os.environ['PATH']}", "SUITES": suite,
             "PACKAGES": " ".join(packages), **inputs_of_the_first_build(suite, folder), **settings},
    )
    assert done.returncode == 0, done.stdout
    return {path.name.split("_")[0]: path for path in (folder / "dist/debs" / suite).glob("*.deb")}


def read_file(deb, path):
    """Bytes of a file in a package, or None where it has none of that path."""
    tree = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True).stdout
    found = subprocess.run(["tar", "-xO", f".{path}"], input=tree, capture_output=True)
    return None if found.returncode else found.stdout


def reveal(folder, system):
    """Lets `system` see the packages in `folder` at /mnt."""
    for deb in Path(folder).glob("*.deb"):
        shutil.copyfile(deb, system.root / "mnt" / deb.name)
