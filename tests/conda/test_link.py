"""A prefix holds exactly the packages that were chosen, and nothing else is touched."""

import hashlib
import json
import os
import re
import stat
import subprocess

import pytest

from tests.conda.channel import File, Link
from tests.conda.cpython import PLACEHOLDER
from tests.conda.engine import Refused, versions

PYTHON = {"bin/python3.12": File(b"#!/bin/sh\n", 0o755), "bin/python": Link("python3.12")}


@pytest.fixture(params=["file", "http"])
def either(request, engine):
    """The program, with `channel` in both ways."""
    return engine if request.param == "file" else request.getfixturevalue("remote")


def snapshot(folder):
    """{path: what can be seen of it} of all files below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = (hashlib.sha256(path.read_bytes()).hexdigest(), stat.S_IMODE(state.st_mode), state.st_mtime_ns,
                                state.st_ino)
    return found


def test_every_file_is_where_its_package_has_it(channel, either, workshop):
    files = {"bin/tool": File(b"#!/bin/sh\necho tool\n", 0o755), "share/doc/text": "text", "lib/libx.so": Link("libx.so.1"),
             "lib/libx.so.1": b"\x7fELF\0"}
    channel.add("one", "1.0", files)
    channel.add("two", "1.0", {f"other/{path}": content for path, content in files.items()}, archive="tar.bz2")
    channel.write_index()
    prefix = workshop / "prefix"
    _, answer = either.make(prefix, "one", "two")
    assert (answer["linked"], answer["unlinked"], answer["clobbered"]) == (2, 0, [])
    assert set(answer["seconds"]) == {"fetch", "link"}
    assert sorted(path.name for path in prefix.iterdir()) == ["bin", "conda-meta", "lib", "other", "share"]
    for top in (prefix, prefix / "other"):
        assert subprocess.check_output([top / "bin/tool"], text=True) == "tool\n"
        assert (top / "share/doc/text").read_text() == "text"
        assert os.readlink(top / "lib/libx.so") == "libx.so.1"
        assert (top / "lib/libx.so.1").read_bytes() == b"\x7fELF\0"
    again = either.link(prefix, either.solve("one", "two", prefix=prefix)["packages"])
    assert (again["linked"], again["unlinked"], again["downloaded"]) == (0, 0, 0)


def test_files_name_the_path_by_which_the_environment_is_used(channel, engine, workshop):
    text = f"#!{PLACEHOLDER}/bin/python\nhome = {PLACEHOLDER}\n"
    binary = b"\x7fELF\0" + PLACEHOLDER.encode() + b"/share\0and more\0"
    channel.add("python", "3.12.1", PYTHON)
    channel.add("tool", "1.0", {"bin/tool": File(text.encode(), 0o755), "lib/tool.so": binary, "share/plain": "plain"})
    channel.add_module("module", "1.0", entry_points=["run-module = module:main"])
    channel.write_index()
    prefix, target = workshop / "generations/7", workshop / "user"
    solved = engine.solve("tool", "module")
    engine.link(prefix, solved["packages"], target_prefix=str(target))
    assert (prefix / "bin/tool").read_text() == text.replace(PLACEHOLDER, str(target))
    content = (prefix / "lib/tool.so").read_bytes()
    assert len(content) == len(binary)
    assert content.startswith(b"\x7fELF\0" + str(target).encode() + b"/share\0") and content.endswith(b"and more\0")
    assert (prefix / "bin/run-module").read_text().startswith(f"#!{target}/bin/python3.12\n")
    assert os.access(prefix / "bin/run-module", os.X_OK)
    assert (prefix / "lib/python3.12/site-packages/module/__init__.py").exists()
    for path in prefix.rglob("*"):
        if path.is_file() and "conda-meta" not in path.parts:
            assert str(prefix).encode() not in path.read_bytes() and PLACEHOLDER.encode() not in path.read_bytes(), path


def test_files_are_shared_with_the_cache_and_between_environments(channel, engine, workshop):
    channel.add("data", "1.0", {"share/data": "x" * 10000, "share/prefix": PLACEHOLDER})
    channel.write_index()
    for name in ("one", "two"):
        engine.make(workshop / name, "data")
    one, two = workshop / "one/share", workshop / "two/share"
    assert one.joinpath("data").samefile(two / "data") and one.joinpath("data").stat().st_nlink == 3
    assert not one.joinpath("prefix").samefile(two / "prefix")


@pytest.fixture
def before_and_after(channel):
    """Two states of packages that differ in every way in which files can change."""
    channel.add("python", "3.12.1", PYTHON)
    for version in ("1.0", "2.0"):
        channel.add("moving", version, {"share/moving": version * 50, "share/prefix": f"{version} {PLACEHOLDER}"})
        channel.add_module("module", version, entry_points=["run-module = module:main"])
    channel.add("going", "1.0", {"share/going": "going", "share/both": "of going"})
    channel.add("staying", "1.0", {"share/staying": "staying", "share/clash": "of staying", "bin/run-late": "of staying"})
    channel.add("coming", "1.0", {"share/coming": "coming", "share/clash": "of coming", "share/foreign": "of coming",
                                  "share/both": "of coming", "share/foreign-prefix": PLACEHOLDER})
    channel.add_module("late", "1.0", entry_points=["run-late = late:main", "run-foreign = late:main"])
    channel.write_index()
    return ["moving=1.0", "module=1.0", "going", "staying"], ["moving=2.0", "module=2.0", "staying", "coming", "late"]


@pytest.mark.parametrize("way", ["hard links", "copies"])
def test_a_change_writes_no_file_in_place_that_another_environment_shares(before_and_after, engine, workshop, way):
    """The new generation begins as a hard-linked clone of the old one."""
    before, after = before_and_after
    old, new = workshop / "old", workshop / "new"
    engine.make(old, *before)
    for name in ("share/foreign", "share/foreign-prefix", "bin/run-foreign"):
        # As pip would have put it there.
        (old / name).write_text("foreign")
    (old / "lib/python3.12/site-packages/module/__pycache__").mkdir()
    (old / "lib/python3.12/site-packages/module/__pycache__/__init__.cpython-312.pyc").write_bytes(b"pyc")
    subprocess.run(["cp", "-al", old, new], check=True)
    kept = snapshot(old)
    wanted = engine.solve(*after)["packages"]
    if way == "copies":
        # A cache on another disk: nothing can be linked from there.
        other = workshop / "disk"
        other.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "conda", other], check=True)
        engine.cache = other / "cache"
    try:
        engine.link(new, wanted)
    finally:
        if way == "copies":
            subprocess.run(["umount", other], check=True)
    assert snapshot(old) == kept
    assert versions(new) == {"python": "3.12.1", "moving": "2.0", "module": "2.0", "staying": "1.0", "coming": "1.0",
                             "late": "1.0"}
    assert (new / "share/moving").read_text() == "2.0" * 50
    assert (new / "share/prefix").read_text() == f"2.0 {new}"
    assert (new / "share/foreign").read_text() == "of coming"
    assert (new / "share/foreign-prefix").read_text() == str(new)
    assert (new / "share/both").read_text() == "of coming"
    assert "from late import main" in (new / "bin/run-foreign").read_text()
    assert not (new / "share/going").exists()
    if way == "hard links":
        assert (new / "share/staying").samefile(old / "share/staying")


def test_what_goes_leaves_no_file_no_folder_and_no_bytecode(channel, engine, workshop):
    channel.add("python", "3.12.1", PYTHON)
    channel.add_module("module", "1.0", entry_points=["run-module = module:main"])
    channel.add("lib", "1.0", {"lib/python3.12/single.py": "x = 1", "deep/er/and/deeper": "x"})
    channel.write_index()
    prefix = workshop / "prefix"
    engine.make(prefix, "python")
    kept = set(snapshot(prefix))
    engine.make(prefix, "module", "lib")
    for folder, module in (("lib/python3.12/site-packages/module", "__init__"), ("lib/python3.12", "single")):
        (prefix / folder / "__pycache__").mkdir()
        (prefix / folder / f"__pycache__/{module}.cpython-312.pyc").write_bytes(b"pyc")
    (prefix / "deep/foreign").write_text("kept")
    answer = engine.link(prefix, engine.solve(prefix=prefix, remove=["module", "lib"])["packages"])
    assert (answer["linked"], answer["unlinked"]) == (0, 2)
    assert set(snapshot(prefix)) == kept | {str(prefix / "deep/foreign")}
    assert not (prefix / "deep/er").exists() and not (prefix / "lib/python3.12/site-packages").exists()


@pytest.mark.parametrize("order", [("one", "two", "three"), ("three", "one", "two"), ("two", "three", "one")])
def test_of_two_packages_with_the_same_path_the_same_one_wins_and_a_warning_says_so(channel, engine, workshop, order):
    for name in ("one", "two", "three"):
        channel.add(name, "1.0", {"share/clash": name, f"share/{name}": name})
    channel.write_index()
    prefix = workshop / "prefix"
    packages = {record["name"]: record for record in engine.solve(*order)["packages"]}
    answer = engine.link(prefix, [packages[name] for name in order])
    [clobbered] = answer["clobbered"]
    winner = (prefix / "share/clash").read_text()
    assert clobbered["path"] == "share/clash" and clobbered["package"] == winner == "one"
    assert sorted([*clobbered["others"], winner]) == ["one", "three", "two"]
    assert "warn: `share/clash` is in `one` and in" in engine.stderr
    left = [record for name, record in packages.items() if name != winner]
    engine.link(prefix, left)
    assert (prefix / "share/clash").read_text() in ("one", "three")


def test_conda_finds_the_records_and_the_history_that_it_expects(channel, engine, workshop):
    channel.add("lib", "1.0", {"share/lib": "1"}, depends=["__glibc"])
    channel.add("lib", "2.0", {"share/lib": "2", "share/prefix": PLACEHOLDER})
    channel.write_index()
    prefix = workshop / "prefix"
    engine.link(prefix, engine.solve("lib=1")["packages"], specs=["lib=1"])
    engine.link(prefix, engine.solve("lib")["packages"], specs=["lib"])
    record = json.loads((prefix / "conda-meta/lib-2.0-0.json").read_text())
    assert [path.name for path in (prefix / "conda-meta").glob("*.json")] == ["lib-2.0-0.json"]
    # What conda.models.records.PrefixRecord needs.
    assert {"name", "version", "build", "build_number", "channel", "subdir", "fn", "url", "md5", "sha256", "depends",
            "files", "paths_data", "link", "extracted_package_dir"} <= set(record)
    assert sorted(record["files"]) == ["share/lib", "share/prefix"]
    [rewritten] = [path for path in record["paths_data"]["paths"] if path["_path"] == "share/prefix"]
    assert rewritten["sha256_in_prefix"] == hashlib.sha256(str(prefix).encode()).hexdigest()
    assert record["requested_specs"] == ["lib"]
    # What conda.history.History parses.
    blocks = re.split(r"^==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==\n", (prefix / "conda-meta/history").read_text(),
                      flags=re.MULTILINE)
    assert blocks[0] == "" and len(blocks) == 3
    assert re.fullmatch(r"# cmd: \S+\n\+\S+/linux-64::lib-1.0-0\n# update specs: \['lib=1'\]\n", blocks[1])
    assert re.fullmatch(r"# cmd: \S+\n-\S+::lib-1.0-0\n\+\S+::lib-2.0-0\n# update specs: \['lib'\]\n", blocks[2])
    for path in (prefix / "conda-meta").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644, path


def test_everybody_can_read_an_environment_however_strict_the_administrator_is(channel, engine, workshop):
    channel.add("python", "3.12.1", PYTHON)
    channel.add_module("module", "1.0", entry_points=["run-module = module:main"])
    channel.add("text", "1.0", {"share/folder/text": PLACEHOLDER})
    channel.write_index()
    prefix = workshop / "prefix"
    old = os.umask(0o077)
    try:
        engine.make(prefix, "module", "text")
    finally:
        os.umask(old)
    for path in [prefix, *prefix.rglob("*")]:
        if not path.is_symlink():
            wanted = 0o055 if path.is_dir() else 0o044
            assert path.stat().st_mode & wanted == wanted, path
            assert not path.stat().st_mode & 0o002, path


def test_scripts_of_packages_are_not_run_and_nothing_is_compiled(channel, engine, workshop):
    mark = workshop / "ran"
    script = File(f"#!/bin/sh\ntouch {mark}\n".encode(), 0o755)
    channel.add("python", "3.12.1", PYTHON)
    channel.add("eager", "1.0", {f"bin/.eager-{when}.sh": script for when in ("pre-link", "post-link", "pre-unlink")})
    channel.add_module("module", "1.0")
    channel.write_index()
    prefix = workshop / "prefix"
    engine.make(prefix, "eager", "module")
    assert "`eager` has a script" in engine.stderr
    engine.link(prefix, [])
    assert not mark.exists()
    engine.make(prefix, "module")
    assert list(prefix.rglob("*.pyc")) == []


def test_another_python_moves_what_lies_below_it(channel, engine, workshop):
    channel.add("python", "3.12.1", PYTHON)
    channel.add("python", "3.13.0", {"bin/python3.13": File(b"#!/bin/sh\n", 0o755), "bin/python": Link("python3.13")})
    channel.add_module("module", "1.0", entry_points=["run-module = module:main"])
    channel.write_index()
    prefix = workshop / "prefix"
    engine.make(prefix, "python=3.12", "module")
    solved, answer = engine.make(prefix, "python=3.13")
    assert [step["name"] for step in solved["steps"]] == ["module", "python"]
    assert (answer["linked"], answer["unlinked"]) == (2, 2)
    assert (prefix / "lib/python3.13/site-packages/module/__init__.py").exists()
    assert not (prefix / "lib/python3.12").exists()
    assert (prefix / "bin/run-module").read_text().startswith(f"#!{prefix}/bin/python3.13\n")


def test_a_package_whose_paths_lead_out_of_the_prefix_writes_nothing_there(channel, engine, workshop):
    channel.add("evil", "1.0", {"../outside": "evil"})
    channel.add("sly", "1.0", {f"{workshop}/outside": "evil"})
    channel.write_index()
    for name in ("evil", "sly"):
        prefix = workshop / name
        with pytest.raises(Refused, match="outside of the environment") as refused:
            engine.make(prefix, name)
        assert refused.value.names == [name]
        assert not (workshop / "outside").exists() and not prefix.exists()


def test_a_path_that_depends_on_the_current_folder_is_refused(engine, workshop):
    for folders in ({"prefix": "x"}, {"cache": "x"}, {"target_prefix": "x"}):
        request = {"cache": str(engine.cache), "prefix": str(workshop / "prefix"), "packages": [], **folders}
        with pytest.raises(Refused) as refused:
            engine.run("link", request)
        assert refused.value.kind == "request"


def test_a_damaged_record_is_told(channel, engine, workshop):
    channel.add("lib", "1.0", {"share/lib": "1"})
    channel.write_index()
    prefix = workshop / "prefix"
    engine.make(prefix, "lib")
    (prefix / "conda-meta/lib-1.0-0.json").write_text("{")
    with pytest.raises(Refused) as refused:
        engine.solve("lib", prefix=prefix)
    assert refused.value.kind == "other" and str(prefix) in refused.value.message


def test_cleaning_removes_what_no_environment_shares(channel, engine, workshop):
    for name in ("used", "unused"):
        channel.add(name, "1.0", {f"share/{name}": name * 1000})
    channel.write_index()
    prefix = workshop / "prefix"
    engine.make(prefix, "used", "unused")
    engine.link(prefix, engine.solve(prefix=prefix, remove=["unused"])["packages"])
    answer = engine.run("clean", {"cache": str(engine.cache)})
    assert answer["removed"] == 1 and answer["freed"] > 6000
    assert [path.name for path in (engine.cache / "packages").glob("*-0")] == ["used-1.0-0"]
    engine.make(prefix, "unused")
    assert (prefix / "share/unused").exists()
