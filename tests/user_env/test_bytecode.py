"""Bytecode that the package brings is taken for the very same source, and for no other."""

import importlib.util
import io
import marshal
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

MODULE = "nbgitpuller/__init__.py"


@pytest.fixture
def brought(installation):
    """The package's archive with other bytecode for one module, which tells where it came from; nothing is in its place."""
    source = installation.site() / MODULE
    # Hash-based, to be checked (PEP 552).
    header = importlib.util.MAGIC_NUMBER + (0b11).to_bytes(4, "little") + importlib.util.source_hash(source.read_bytes())
    code = header + marshal.dumps(compile("BROUGHT = True", str(source), "exec"))
    member = tarfile.TarInfo(importlib.util.cache_from_source(MODULE))
    member.size = len(code)
    archive_of(installation).unlink()
    with tarfile.open(archive_of(installation), "w:xz") as packed:
        packed.addfile(member, io.BytesIO(code))
    compiled_of(source).unlink()
    # The archive is read only where much is missing.
    for folder in (installation.site() / "pip").rglob("__pycache__"):
        shutil.rmtree(folder)
    return source


def archive_of(installation):
    return installation.root / "usr/lib/tljh-user-env/bytecode.tar.xz"


def compiled_of(source):
    return Path(importlib.util.cache_from_source(source))


def is_brought(installation):
    return installation.python("import nbgitpuller; print(hasattr(nbgitpuller, 'BROUGHT'))") == "True"


def test_the_same_source_gets_it(installation, brought):
    installation.run("compile")
    assert is_brought(installation)
    # As Python itself writes it: bound to time and size.
    assert compiled_of(brought).read_bytes()[4:8] == bytes(4)
    assert compiled_of(installation.site() / "pip/__init__.py").exists()
    before = compiled_of(brought).stat()
    installation.run("compile")
    assert compiled_of(brought).stat() == before


def test_what_an_administrator_changed_is_compiled(installation, brought):
    text = brought.read_bytes()
    # Other generations and tests have the same file.
    brought.unlink()
    brought.write_bytes(text + b"\n")
    installation.run("compile")
    assert compiled_of(brought).exists() and not is_brought(installation)


def test_without_the_archive_all_is_compiled(installation, brought):
    archive_of(installation).write_bytes(b"half")
    assert "compiled anew" in installation.run("compile").stderr
    assert compiled_of(brought).exists() and not is_brought(installation)


@pytest.fixture
def full(installation):
    """The folder of a package's bytecode, on a disk without room."""
    folder = compiled_of(installation.site() / MODULE).parent
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "full", folder], check=True)
    (folder / "other").write_bytes(bytes(4096))
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_with_what_helps_and_what_is_missing_is_compiled_later(installation, full):
    done = installation.run("compile", check=False)
    assert done.returncode != 0
    assert "the disk became full" in done.stderr and "hint: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    (full / "other").unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", full], check=True)
    installation.run("compile")
    assert (full / Path(importlib.util.cache_from_source("__init__.py")).name).exists()
