"""apt refuses whatever the key did not sign; the key is made once and can be succeeded."""

import re
import subprocess

from tests.repo.workshop import SCRIPTS


def read_index_paths(published, suite="bookworm"):
    """Server paths of the compressed indexes by hash, as apt asks for them."""
    release = (published.apt / f"dists/{suite}/Release").read_text()
    for digest, name in re.findall(r"^ ([0-9a-f]{64,128}) +\d+ (main/\S+)$", release, re.MULTILINE):
        kind = {64: "SHA256", 128: "SHA512"}[len(digest)]
        directory, file = name.rsplit("/", 1)
        yield f"/dists/{suite}/{directory}/by-hash/{kind}/{digest}", directory, file


def test_changed_inrelease_is_refused(published, serve, reader):
    server = serve(published)
    text = (published.apt / "dists/bookworm/InRelease").read_bytes()
    server.replaced["/dists/bookworm/InRelease"] = text.replace(b"Suite: bookworm", b"Suite: stable")
    apt = reader(server)
    done = apt.update()
    assert done.returncode != 0
    assert "invalid: BADSIG" in done.stderr or "not signed" in done.stderr
    assert apt.versions() == []


def test_changed_index_is_refused(published, serve, reader):
    server = serve(published)
    for path, directory, file in read_index_paths(published):
        content = (published.apt / "dists/bookworm" / directory / file).read_bytes()
        server.replaced[path] = content[:-1] + bytes([content[-1] ^ 1])
    apt = reader(server)
    done = apt.update()
    assert done.returncode != 0
    assert "Hash Sum mismatch" in done.stderr
    assert apt.versions() == []


def test_changed_package_is_refused(published, serve, reader):
    server = serve(published)
    path = "pool/bookworm/tljh_0.2.0_amd64.deb"
    content = (published.apt / path).read_bytes()
    server.replaced[f"/{path}"] = content[:-1] + bytes([content[-1] ^ 1])
    apt = reader(server)
    assert apt.update().returncode == 0
    done = apt.download("tljh=0.2.0")
    assert done.returncode != 0
    assert "Hash Sum mismatch" in done.stderr
    assert apt.downloaded() == []


def test_unsigned_repository_is_refused(workshop, serve, reader):
    workshop.make_both("0.1.0")
    workshop.build()
    for name in ("InRelease", "Release.gpg"):
        (workshop.apt / "dists/bookworm" / name).unlink()
    apt = reader(serve(workshop))
    done = apt.update()
    assert done.returncode != 0
    assert "is not signed" in done.stderr
    assert apt.versions() == []


def test_key_of_somebody_else_is_refused(published, workshop, serve, reader):
    workshop.make_both("0.9.0")
    workshop.build()
    (workshop.apt / "tljh-archive-keyring.gpg").write_bytes(
        (published.apt / "tljh-archive-keyring.gpg").read_bytes()
    )
    apt = reader(serve(workshop))
    done = apt.update()
    assert done.returncode != 0
    assert "NO_PUBKEY" in done.stderr or "Missing key" in done.stderr
    assert apt.versions() == []


def test_key_is_made_once_and_kept_private(workshop, tmp_path):
    first, second = tmp_path / "first.gpg", tmp_path / "second.gpg"
    workshop.run(SCRIPTS / "ensure-key.sh", first)
    fingerprint = workshop.fingerprint()
    workshop.run(SCRIPTS / "ensure-key.sh", second)
    assert workshop.fingerprint() == fingerprint
    assert first.read_bytes() == second.read_bytes()
    assert workshop.key_home.stat().st_mode & 0o777 == 0o700
    assert not first.read_bytes().startswith(b"-----BEGIN")


def test_two_builds_at_once_make_one_key(workshop, tmp_path):
    outs = [tmp_path / f"{number}.gpg" for number in range(4)]
    runs = [
        subprocess.Popen([SCRIPTS / "ensure-key.sh", out], env=workshop.environment, stderr=subprocess.PIPE)
        for out in outs
    ]
    for run in runs:
        assert (run.communicate()[1], run.returncode)[1] == 0
    assert len({out.read_bytes() for out in outs}) == 1


def test_absent_key_is_refused_by_name(workshop):
    workshop.make_both("0.1.0")
    done = workshop.build(check=False, TLJH_SIGNING_KEY="0123456789ABCDEF0123456789ABCDEF01234567")
    assert done.returncode == 1
    assert "error: no secret key `0123456789ABCDEF0123456789ABCDEF01234567`" in done.stderr


def test_successor_is_trusted_before_it_signs(workshop, serve, reader):
    workshop.make_both("0.1.0")
    workshop.build()
    workshop.run(
        "gpg", "--homedir", workshop.key_home, "--batch", "--passphrase", "",
        "--quick-generate-key", "--yes", "The Littlest JupyterHub archive", "rsa4096", "sign", "never",
    )
    workshop.build()
    server = serve(workshop)
    apt = reader(server)  # has the keyring of this moment
    kept = workshop.directory / "kept.gpg"
    kept.write_bytes((workshop.apt / "tljh-archive-keyring.gpg").read_bytes())
    listed = workshop.run(
        "gpg", "--homedir", workshop.key_home, "--batch", "--with-colons", "--list-secret-keys"
    ).stdout
    fingerprints = re.findall(r"^fpr:+([0-9A-F]{40}):", listed, re.MULTILINE)
    (successor,) = set(fingerprints) - {workshop.fingerprint()}
    workshop.build(TLJH_SIGNING_KEY=successor)
    source = apt.root / "etc/apt/sources.list.d/tljh.sources"
    source.write_text(re.sub(r"Signed-By: .*", f"Signed-By: {kept}", source.read_text()))
    done = apt.update()
    assert done.returncode == 0, done.stderr


def test_keyring_holds_no_secret_and_no_other_key(workshop, tmp_path):
    workshop.make_both("0.1.0")
    workshop.build()
    shown = subprocess.run(
        ["gpg", "--homedir", tmp_path, "--with-colons", "--show-keys",
         workshop.apt / "tljh-archive-keyring.gpg"],
        capture_output=True, text=True, check=True,
    ).stdout
    assert re.findall(r"^(?:pub|sec)", shown, re.MULTILINE) == ["pub"]
    assert workshop.fingerprint() in shown
