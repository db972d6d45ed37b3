"""What apt sees in the repository, and what a rebuild never does to those who read it."""

import hashlib
import subprocess
import threading

import pytest

SUITES = ("bookworm", "trixie")


@pytest.mark.parametrize("suite", SUITES)
def test_two_versions_stand_side_by_side(published, serve, reader, suite):
    apt = reader(serve(published), suite)
    done = apt.update()
    assert done.returncode == 0, done.stderr
    assert apt.versions() == ["0.2.0", "0.1.0"]
    for version in ("0.1.0", "0.2.0"):
        assert apt.download(f"tljh={version}").returncode == 0
    assert len(apt.downloaded()) == 2


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_has_its_own_file_of_one_version(published, serve, reader, suite):
    apt = reader(serve(published), suite)
    apt.update()
    assert apt.download("tljh=0.2.0").returncode == 0
    (package,) = apt.downloaded()
    subprocess.run(["dpkg-deb", "-x", package, apt.root / "tree"], check=True)
    assert (apt.root / "tree/usr/share/tljh/content").read_text() == f"{suite} 0.2.0"


def test_apt_reads_indexes_by_their_hash(published, serve, reader):
    server = serve(published)
    assert reader(server).update().returncode == 0
    paths = [request.path for request in server.requests]
    assert paths[0] == "/dists/bookworm/InRelease"
    assert paths[1:] and all("/by-hash/" in path for path in paths[1:])


def test_files_by_hash_hold_what_their_names_say(published):
    files = list(published.apt.glob("dists/*/main/*/by-hash/SHA256/*"))
    assert files
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name


def test_release_names_the_indexes_and_nothing_else(published):
    published.build()
    lines = (published.apt / "dists/trixie/Release").read_text().splitlines()
    assert "Suite: trixie" in lines and "Acquire-By-Hash: yes" in lines
    named = {line.split()[2] for line in lines if line.startswith(" ")}
    assert named == {f"main/binary-amd64/Packages{end}" for end in ("", ".gz", ".xz")}


def test_reader_of_the_earlier_release_still_finds_its_index(workshop, serve, reader):
    workshop.make_both("0.1.0")
    workshop.build()
    server = serve(workshop)
    earlier = (workshop.apt / "dists/bookworm/InRelease").read_bytes()
    for number in range(2, 7):
        workshop.make_both(f"0.{number}.0")
        workshop.build()
    server.replaced["/dists/bookworm/InRelease"] = earlier
    apt = reader(server)
    done = apt.update()
    assert done.returncode == 0, done.stderr
    assert apt.versions() == ["0.1.0"]


def test_readers_during_a_publication_see_a_whole_repository(workshop, serve, reader):
    workshop.make_both("0.1.0")
    workshop.build()
    server = serve(workshop)
    done, failures, seen = threading.Event(), [], set()

    def read():
        while True:
            last = done.is_set()
            apt = reader(server)
            update = apt.update()
            versions = apt.versions()
            download = apt.download(f"tljh={versions[0]}") if versions else update
            if update.returncode or not versions or download.returncode:
                failures.append(update.stderr + download.stderr)
            seen.update(versions[:1])
            if last:
                return

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(2, 8):
        workshop.make_both(f"0.{number}.0")
        workshop.build()
    done.set()
    thread.join()
    assert failures == []
    assert "0.7.0" in seen


def test_same_content_again_changes_no_package(workshop):
    workshop.make_both("0.1.0")
    first = workshop.build().stdout
    index = workshop.index("trixie").read_bytes()
    second = workshop.build().stdout
    assert "trixie: added tljh 0.1.0" in first
    assert "tljh 0.1.0" not in second
    assert workshop.index("trixie").read_bytes() == index


def test_other_content_of_a_version_replaces_it_with_a_warning(workshop, serve, reader):
    workshop.make_both("0.1.0")
    workshop.build()
    workshop.make_deb("bookworm", "tljh", "0.1.0", content="built again")
    assert "bookworm: warning: replaced tljh 0.1.0, other content" in workshop.build().stdout
    apt = reader(serve(workshop))
    apt.update()
    assert apt.versions() == ["0.1.0"]
    assert apt.download("tljh").returncode == 0


def test_published_version_cannot_change_its_content(workshop):
    workshop.make_both("0.1.0")
    workshop.build(REPO_URL="https://packages.example.org/")
    before = {path: path.read_bytes() for path in workshop.apt.rglob("*") if path.is_file()}
    workshop.make_deb("bookworm", "tljh", "0.1.0", content="built again")
    done = workshop.build(check=False, REPO_URL="https://packages.example.org/")
    assert done.returncode == 1
    assert "error: tljh 0.1.0 was published for bookworm with other content" in done.stderr
    assert {path: path.read_bytes() for path in workshop.apt.rglob("*") if path.is_file()} == before


def test_published_packages_do_not_share_a_file_with_the_build(workshop):
    workshop.make_both("0.1.0")
    workshop.build()
    built = workshop.debs / "bookworm/tljh_0.1.0_amd64.deb"
    assert not built.samefile(workshop.apt / "pool/bookworm/tljh_0.1.0_amd64.deb")


def test_unreadable_package_stops_before_anything_is_copied(workshop):
    workshop.make_both("0.1.0")
    workshop.build()
    workshop.make_both("0.2.0")
    broken = workshop.debs / "trixie" / "tljh_0.3.0_amd64.deb"
    broken.write_text("no package")
    done = workshop.build(check=False)
    assert done.returncode == 1
    assert f"error: cannot read the package `{broken}`" in done.stderr
    assert len(list(workshop.apt.rglob("*.deb"))) == 2


def test_building_one_suite_keeps_the_other(workshop):
    workshop.make_both("0.1.0")
    workshop.build()
    workshop.build(SUITES="bookworm")
    assert "Suites: trixie\n" in (workshop.apt / "tljh.sources").read_text()
    assert (workshop.apt / "tljh-bookworm.sources").exists()
    assert "Debian 13 (trixie)" in (workshop.apt / "index.html").read_text()


def test_empty_repository_is_refused_with_the_command_that_helps(workshop):
    done = workshop.build(check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("made the signing key")
    assert "hint: make debs" in done.stderr


def test_nothing_is_left_beside_the_repository(workshop):
    workshop.make_both("0.1.0")
    workshop.build()
    assert sorted(path.name for path in workshop.apt.parent.iterdir()) == ["apt", "debs"]
    agents = subprocess.run(
        ["gpg-connect-agent", "--no-autostart", "--homedir", workshop.key_home, "/bye"],
        capture_output=True, text=True,
    )
    assert "no gpg-agent running" in agents.stderr


def test_any_web_server_can_read_every_file(published):
    for path in published.apt.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_indexes_by_hash_do_not_pile_up(workshop):
    for number in range(24):
        workshop.make_deb("trixie", "tljh", f"0.{number}.0")
        workshop.build()
    for kind in ("SHA256", "SHA512"):
        kept = {path.name for path in workshop.index("trixie").parent.glob(f"by-hash/{kind}/*")}
        assert len(kept) == 20 * 3
        current = hashlib.new(kind, workshop.index("trixie").read_bytes()).hexdigest()
        assert current in kept
