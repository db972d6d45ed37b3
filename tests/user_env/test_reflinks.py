"""Where the file system has reflinks, generations share their files without being able to change each other's."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.user_env.conftest import place_bundle
from tests.user_env.disks import new_file_system
from tests.user_env.index import Index

MAKE = {"btrfs": ["mkfs.btrfs", "--quiet"], "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"]}


@pytest.fixture(params=sorted(MAKE))
def reflinked(request, tmp_path):
    """A new installation on a file system of its own, which everybody may enter."""
    root = Path(tempfile.mkdtemp(prefix="tljh-user-env-"))
    try:
        with new_file_system(tmp_path / "image", 3 << 30, MAKE[request.param], root):
            root.chmod(0o755)
            made = place_bundle(root)
            made.index = Index(made.wheels)
            made.run("ensure")
            yield made
            made.index.close()
    finally:
        root.rmdir()


def used(installation):
    """Bytes that the file system has given away."""
    subprocess.run(["sync", "-f", installation.root], check=True)
    state = os.statvfs(installation.root)
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def size(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_generation_takes_no_space_for_what_it_shares_and_owns_what_is_written_to_it(reflinked):
    reflinked.make_wheel("lesson", "1.0")
    before = used(reflinked)
    assert reflinked.json("install", "lesson")["generation"] == 2
    # Names and attributes take some; btrfs keeps small files among them, and all of that twice.
    assert used(reflinked) - before < size(reflinked.folder(1)) / 2
    old, new = (reflinked.site(number) / "jupyterlab/__init__.py" for number in (1, 2))
    assert old.stat().st_ino != new.stat().st_ino
    text = old.read_text()
    assert new.read_text() == text
    with new.open("a") as file:
        file.write("# written where it stands\n")
    assert old.read_text() == text
    assert reflinked.json("rollback")["generation"] == 1
    assert reflinked.python("import jupyterlab; print(1)") == "1"
