"""CPython, built from the sources of a Debian release as their authors published them.

`staged(suite)` is made once for each version and kept in the cache; `install(folder, suite)` puts a working
interpreter anywhere. Debian's own patches are left out: with them modules lie in `dist-packages`.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from tests.machines.places import CACHE

# As long as a path may be that is compiled in: longer ones can be written over it, ended by a zero byte.
PLACEHOLDER = "/opt/" + ("placehold_" * 25)[:245]
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
MACHINE = Path("/etc/os-release")


def own_suite():
    """The release that this machine runs."""
    return re.search(r"^VERSION_CODENAME=(\w+)$", MACHINE.read_text(), re.MULTILINE)[1]


def staged(suite=None):
    """(version, folder): an installation for the prefix `PLACEHOLDER`, below that path in `folder`."""
    suite = suite or own_suite()
    source = fetch(suite)
    version = re.search(r"_(\d+\.\d+\.\d+)\.orig\.", source.name)[1]
    kept = CACHE / "cpython" / f"{version}-{sysconfig.get_platform()}"
    if not kept.is_dir():
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=source.parent))
        try:
            build(source, work)
            (work / "installed").rename(kept)
        finally:
            shutil.rmtree(work)
    return version, kept


def fetch(suite):
    """The archive of the sources, by apt, which verifies it."""
    name = f"python{PYTHONS[suite]}"
    folder = CACHE / "cpython"
    folder.mkdir(parents=True, exist_ok=True)
    for kept in folder.glob(f"{name}_*.orig.tar.*"):
        if kept.suffix != ".asc":
            return kept
    with tempfile.TemporaryDirectory(dir=folder) as work:
        options = source_lists(Path(work), suite)
        subprocess.run(["apt-get", "-q", *options, "update"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "-q", *options, "source", "--download-only", "--tar-only", name], check=True,
                       cwd=work, stdout=subprocess.DEVNULL)
        found = next(path for path in Path(work).glob(f"{name}_*.orig.tar.*") if path.suffix != ".asc")
        return found.rename(folder / found.name)


def source_lists(work, suite):
    """Options for apt: this machine's own repositories, but their sources, of `suite`, with lists in `work`."""
    parts, own = work / "parts", own_suite()
    parts.mkdir()
    (work / "lists/partial").mkdir(parents=True)
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        if not path.is_file() or path.suffix not in (".list", ".sources"):
            continue
        text = re.sub(rf"\b{own}\b", suite, path.read_text())
        text = re.sub(r"^Types:.*$|^deb ", lambda found: "Types: deb-src" if ":" in found[0] else "deb-src ", text,
                      flags=re.MULTILINE)
        (parts / path.name).write_text(text)
    return ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}",
            "-o", f"Dir::State::lists={work}/lists", "-o", "APT::Sandbox::User=root"]


def build(source, work):
    """Without tests, Tk, profiling and what else takes minutes: it is used for less than its making takes."""
    with tarfile.open(source) as archive:
        archive.extractall(work / "source")
    tree = next((work / "source").iterdir())
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(work), "LC_ALL": "C.UTF-8", "py_cv_module__tkinter": "n/a"}
    for step, command in {
        "configure": ["./configure", "-q", f"--prefix={PLACEHOLDER}", "--without-ensurepip", "--disable-test-modules",
                      "--without-static-libpython", "OPT=-DNDEBUG -fwrapv -O1"],
        "make": ["make", "-s", f"-j{os.cpu_count()}"],
        "install": ["make", "-s", "install", f"DESTDIR={work}/installed", "COMPILEALL_OPTS=-j0 -q"],
    }.items():
        done = subprocess.run(command, cwd=tree, env=environment, text=True, errors="replace", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(f"{step} of {source.name} failed:\n{done.stdout[-4000:]}")
    # Who installs compiles; nobody builds against this one's makefiles for tests.
    root = work / "installed" / PLACEHOLDER.lstrip("/")
    for pattern in ("**/__pycache__", "lib/python3.*/test", "lib/python3.*/idlelib", "lib/python3.*/turtledemo"):
        for path in list(root.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)


def replace_prefix(content, prefix):
    """`content` of a file of `staged` with another prefix; a binary file keeps its length."""
    old, new = PLACEHOLDER.encode(), os.fsencode(prefix)
    if old not in content:
        return content
    if b"\0" not in content:
        return content.replace(old, new)
    return re.sub(re.escape(old) + rb"[^\0]*\0",
                  lambda found: found[0].replace(old, new).ljust(len(found[0]), b"\0"), content)


def install(folder, suite=None):
    """Put an interpreter into `folder`; returns the path of its program."""
    version, kept = staged(suite)
    shutil.copytree(kept / PLACEHOLDER.lstrip("/"), folder, symlinks=True)
    for path in Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            changed = replace_prefix(content, folder)
            if changed != content:
                path.write_bytes(changed)
    return Path(folder) / "bin" / f"python{'.'.join(version.split('.')[:2])}"
