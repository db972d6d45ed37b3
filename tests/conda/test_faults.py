"""What goes wrong on the way: nothing of the environment changes, and the answer says what to do."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from tests.conda.engine import Engine, Refused, versions
from tests.machines.places import wait_for

INDEXES = ("noarch/repodata.json", "noarch/repodata.json.zst", "linux-64/repodata.json", "linux-64/repodata.json.zst")
TEXT = "".join(f"{number}\n" for number in range(100000))
PACKAGE = "linux-64/lib-1.0-0.conda"


@pytest.fixture
def shelf(channel):
    channel.add("lib", "1.0", {"share/lib": TEXT})
    channel.add("other", "1.0", {"share/other": TEXT}, archive="tar.bz2")
    return channel.write_index()


@pytest.fixture
def prefix(shelf, remote, workshop):
    """An environment that is to stay as it is."""
    folder = workshop / "prefix"
    remote.make(folder, "other")
    kept = listing(folder)
    yield folder
    assert listing(folder) == kept


def listing(folder):
    states = {str(path): path.lstat() for path in [folder, *folder.rglob("*")]}
    return {path: (state.st_ino, state.st_mode, state.st_size, state.st_ctime_ns) for path, state in states.items()}


def refused_link(remote, prefix):
    packages = remote.solve("lib", prefix=prefix)["packages"]
    with pytest.raises(Refused) as refused:
        remote.link(prefix, packages)
    return refused.value


def test_no_network_is_told_with_the_address(workshop, prefix, server):
    server.close()
    with pytest.raises(Refused) as refused:
        Engine(workshop, [server.url]).solve("lib", prefix=prefix)
    assert refused.value.kind == "network" and server.url in refused.value.message


@pytest.mark.parametrize("fault", ["cut", "status"])
def test_an_index_that_breaks_off_is_told_with_the_address(workshop, shelf, server, fault):
    getattr(server, fault).update({path: {"cut": 99, "status": [503] * 99}[fault] for path in INDEXES})
    with pytest.raises(Refused) as refused:
        Engine(workshop, [server.url]).solve("lib")
    assert refused.value.kind == "network" and f"{server.url}/" in refused.value.message


@pytest.mark.parametrize("fault", ["cut", "status"])
def test_a_short_disturbance_is_overcome(workshop, shelf, server, fault):
    getattr(server, fault).update({path: {"cut": 1, "status": [503]}[fault] for path in (*INDEXES, PACKAGE)})
    Engine(workshop, [server.url]).make(workshop / "prefix", "lib")
    assert (workshop / "prefix/share/lib").read_text() == TEXT
    assert server.asked.count(PACKAGE) == 2


def test_an_address_without_a_channel_is_told(workshop, shelf, server):
    for url in (f"{server.url}/nothing", (workshop / "nothing").as_uri()):
        with pytest.raises(Refused) as refused:
            Engine(workshop, [url]).solve("lib")
        assert refused.value.kind == "channel" and url in refused.value.message


def test_a_damaged_index_is_told(workshop, channel):
    for subdir in ("noarch", "linux-64"):
        (channel.folder / subdir / "repodata.json").write_text('{"packages": {"lib')
    with pytest.raises(Refused) as refused:
        Engine(workshop, [channel.url]).solve("lib")
    assert refused.value.kind == "channel"


@pytest.mark.parametrize("fault", ["cut", "status"])
def test_a_package_that_breaks_off_changes_nothing(prefix, remote, server, fault):
    getattr(server, fault)[PACKAGE] = {"cut": 99, "status": [500] * 99}[fault]
    refused = refused_link(remote, prefix)
    assert refused.kind == "network" and f"{server.url}/{PACKAGE}" in refused.message
    assert list((remote.cache / "downloads").iterdir()) == []


def test_a_package_with_a_wrong_byte_changes_nothing_and_is_asked_for_once(prefix, remote, server):
    server.wrong.add(PACKAGE)
    refused = refused_link(remote, prefix)
    assert (refused.kind, refused.names) == ("hash", ["lib"])
    assert server.asked.count(PACKAGE) == 1
    assert not (remote.cache / "packages/lib-1.0-0").exists()


def test_a_local_package_with_a_wrong_byte_is_not_unpacked(shelf, engine, workshop):
    packages = engine.solve("lib")["packages"]
    path = shelf.folder / PACKAGE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        engine.link(workshop / "new", packages)
    assert refused.value.kind == "hash" and not (workshop / "new").exists()


def test_a_package_without_a_hash_is_refused(shelf, engine, workshop):
    [record] = engine.solve("lib")["packages"]
    del record["sha256"]
    with pytest.raises(Refused) as refused:
        engine.link(workshop / "new", [record])
    assert refused.value.kind == "hash"


def test_without_a_network_the_cache_does(shelf, remote, server, workshop):
    remote.make(workshop / "one", "lib")
    server.close()
    solved = remote.solve("lib", offline=True)
    assert solved["download"] == 0
    remote.link(workshop / "two", solved["packages"], offline=True)
    assert (workshop / "two/share/lib").read_text() == TEXT


def test_what_is_not_in_the_cache_is_told_when_nothing_may_be_downloaded(shelf, remote, workshop, server):
    empty = Engine(workshop / "empty", [server.url])
    with pytest.raises(Refused) as refused:
        empty.solve("lib", offline=True)
    assert refused.value.kind == "network" and "not in the cache" in refused.value.message
    with pytest.raises(Refused) as refused:
        remote.link(workshop / "prefix", remote.solve("lib")["packages"], offline=True)
    assert refused.value.kind == "network" and "lib-1.0-0" in refused.value.message


def test_a_local_channel_needs_no_cache_when_nothing_may_be_downloaded(shelf, engine, workshop):
    engine.link(workshop / "prefix", engine.solve("lib", offline=True)["packages"], offline=True)
    assert versions(workshop / "prefix") == {"lib": "1.0"}


@pytest.mark.parametrize("way", ["password", "token"])
def test_a_login_is_used_and_found_nowhere(shelf, server, workshop, way):
    if way == "password":
        server.login, address = "teacher:s3cr3t", f"http://teacher:s3cr3t@127.0.0.1:{server.port}"
    else:
        server.token, address = "s3cr3t", f"{server.url}/t/s3cr3t/"
    engine = Engine(workshop, [address])
    solved = engine.run("solve", {"channels": [address], "cache": str(engine.cache), "install": ["lib"]}, "-vv")
    said = engine.stderr
    packages = solved["packages"]
    with pytest.raises(Refused) as refused:
        engine.link(workshop / "prefix", packages)
    assert refused.value.kind == "channel" and "login" in refused.value.message
    server.cut[PACKAGE] = 1
    engine.link(workshop / "prefix", packages, channels=[address], options=["-vv"])
    said += engine.stderr + json.dumps(solved)
    server.close()
    with pytest.raises(Refused) as refused:
        Engine(workshop / "other", [address]).solve("lib", options=["-vv"])
    said += refused.value.message + refused.value.stderr
    assert server.url in said and "s3cr3t" not in said
    folders = [workshop / "prefix", workshop / "cache"]
    found = subprocess.run(["grep", "-rlE", "s3cr3t|dGVhY2hlcjpzM2NyM3Q", *folders], capture_output=True, text=True)
    assert found.returncode == 1, found.stdout


def test_a_wrong_login_is_told(shelf, server, workshop):
    server.login = "teacher:right"
    with pytest.raises(Refused) as refused:
        Engine(workshop, [f"http://teacher:wrong@127.0.0.1:{server.port}"]).solve("lib")
    assert refused.value.kind == "channel" and "login" in refused.value.message
    assert "wrong" not in refused.value.message


def test_too_little_space_is_told_before_anything_is_fetched_or_written(shelf, remote, server, workshop):
    packages = remote.solve("lib")["packages"]
    disk = workshop / "disk"
    disk.mkdir()
    for cache, prefix in ((disk / "cache", workshop / "prefix"), (workshop / "cache", disk / "prefix")):
        # Less than what is always left alone.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "conda", disk], check=True)
        try:
            asked = len(server.asked)
            remote.cache = cache
            with pytest.raises(Refused) as refused:
                remote.link(prefix, packages)
            assert refused.value.kind == "space" and str(disk) in refused.value.message
            assert not prefix.exists()
            if cache.is_relative_to(disk):
                assert len(server.asked) == asked
        finally:
            subprocess.run(["umount", disk], check=True)


def test_a_disk_that_becomes_full_on_the_way_is_told(channel, engine, workshop):
    # Packed, it is a thousandth of itself.
    channel.add("large", "1.0", {"share/large": b"\1" * (200 << 20)})
    channel.write_index()
    packages = engine.solve("large")["packages"]
    disk = workshop / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "conda", disk], check=True)
    try:
        engine.cache = disk / "cache"
        with pytest.raises(Refused) as refused:
            engine.link(workshop / "prefix", packages)
        assert refused.value.kind == "space"
        assert not (workshop / "prefix").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


class Killed:
    """A run of `link` that is killed when a condition is met."""

    def __init__(self, engine, prefix, packages):
        self.process = engine.start(["link"])
        self.process.stdin.write(json.dumps(engine.link_request(prefix, packages)))
        self.process.stdin.close()

    def when(self, condition):
        """Whether it was killed before it had done all."""
        try:
            wait_for(lambda: condition() or self.process.poll() is not None, interval=0.001)
        finally:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                stream.close()
        return self.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["asked", "half a download", "unpacking", "unpacked one", "unpacked most", "linking",
                                    "linked some"])
def test_after_a_kill_at_any_moment_the_next_run_does_all(channel, remote, server, workshop, moment):
    names = [f"lib{number}" for number in range(12)]
    for name in names:
        channel.add(name, "1.0", {f"share/{name}/{part}": f"{name} {part} {TEXT[:20000]}" for part in range(60)},
                    archive="tar.bz2" if name.endswith("1") else "conda")
    channel.write_index()
    prefix, cache = workshop / "prefix", remote.cache
    packages = remote.solve(*names)["packages"]
    last = "linux-64/lib11-1.0-0.tar.bz2"

    def unpacked():
        return len([path for path in (cache / "packages").glob("lib*-0") if path.is_dir()])

    conditions = {
        "asked": lambda: len(server.asked) > 2,
        "half a download": lambda: any(path.stat().st_size for path in (cache / "downloads").glob("*")),
        "unpacking": lambda: any((cache / "packages").glob(".lib*/share")),
        "unpacked one": lambda: unpacked() >= 1,
        "unpacked most": lambda: unpacked() >= 11,
        "linking": lambda: (prefix / "share").exists(),
        "linked some": lambda: len(list((prefix / "conda-meta").glob("*.json"))) >= 2,
    }
    if moment in ("half a download", "unpacked most"):
        server.held.add(last)
    for _ in range(20):
        server.asked.clear()
        if Killed(remote, prefix, packages).when(conditions[moment]):
            break
        for folder in (prefix, cache / "packages"):
            shutil.rmtree(folder)
    else:
        pytest.fail("all was done too soon")
    server.held.clear()
    server.release.set()
    remote.link(prefix, packages)
    assert versions(prefix) == dict.fromkeys(names, "1.0")
    for name in names:
        for part in range(60):
            assert (prefix / f"share/{name}/{part}").read_text() == f"{name} {part} {TEXT[:20000]}"
    assert list((cache / "downloads").iterdir()) == []
    assert [path for path in (cache / "packages").iterdir() if path.is_dir() and path.name.startswith(".")] == []


def test_a_package_of_the_cache_that_lost_a_file_is_fetched_again(shelf, remote, workshop):
    """As after a power cut."""
    remote.make(workshop / "one", "lib")
    (remote.cache / "packages/lib-1.0-0/share/lib").unlink()
    (remote.cache / "packages/lib-1.0-0/share/lib").write_bytes(b"")
    remote.make(workshop / "two", "lib")
    assert (workshop / "two/share/lib").read_text() == TEXT
