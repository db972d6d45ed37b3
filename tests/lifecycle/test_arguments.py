"""tljh's scripts that must not rely on its programs, with every argument that dpkg can pass (Policy 6.5).

The system here has neither our programs nor systemd running.
"""

import pytest

from tests.machines.places import suites
from tests.package.debs import System, read_debs

PREINST = [["install"], ["install", "0.0.9"], ["install", "0.0.9", "0.1.0"], ["upgrade", "0.0.9"],
           ["upgrade", "0.0.9", "0.1.0"], ["abort-upgrade", "0.1.0"]]
POSTRM = [["remove"], ["upgrade", "0.1.0"], ["failed-upgrade", "0.0.9"], ["failed-upgrade", "0.0.9", "0.1.0"],
          ["abort-install"], ["abort-install", "0.0.9"], ["abort-install", "0.0.9", "0.1.0"], ["abort-upgrade", "0.0.9"],
          ["abort-upgrade", "0.0.9", "0.1.0"], ["disappear", "other", "1.0"]]
# What no removal short of a purge may touch.
STATE = ("etc/tljh/config.yaml", "var/lib/tljh/jupyterhub.sqlite", "home/jupyter-ann/thesis.ipynb")


@pytest.fixture(scope="module", params=suites())
def made(request):
    system = System(request.param)
    deb = read_debs(request.param)["tljh"]
    for name in ("preinst", "postrm"):
        script = system.root / "tmp" / name
        script.write_text(deb.script(name))
        script.chmod(0o755)
    yield system
    system.close()


def call(system, script, arguments):
    # dpkg names itself, the package and the script to what it runs; debconf needs the name.
    return system.run(f"/tmp/{script}", *arguments, environment={
        "DPKG_MAINTSCRIPT_PACKAGE": "tljh", "DPKG_MAINTSCRIPT_NAME": script, "DPKG_ROOT": ""})


def state_of(system):
    for name in STATE:
        path = system.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs\n")
    return lambda: [name for name in STATE if (system.root / name).exists()]


@pytest.mark.parametrize("arguments", PREINST, ids=" ".join)
def test_preinst_changes_nothing(made, arguments):
    kept = state_of(made)
    call(made, "preinst", arguments)
    assert kept() == list(STATE)


@pytest.mark.parametrize("arguments", POSTRM, ids=" ".join)
def test_postrm_keeps_state_unless_it_purges(made, arguments):
    kept = state_of(made)
    call(made, "postrm", arguments)
    call(made, "postrm", arguments)
    assert kept() == list(STATE)


def test_postrm_refuses_what_dpkg_never_says(made):
    told = made.run("/tmp/postrm", "reinvent", check=False)
    assert told.returncode == 1
    assert "unknown argument" in told.stderr


def test_purging_what_was_never_configured_or_is_purged_already_succeeds(made):
    call(made, "postrm", ["purge"])
    call(made, "postrm", ["purge"])
    assert not (made.root / "etc/tljh").exists()
    assert not (made.root / "var/lib/tljh").exists()


def test_purging_removes_recorded_accounts_and_no_other(made):
    made.run("sh", "-c", "groupadd jupyterhub-users; useradd -m jupyter-ann; useradd -m jupyter-bob; useradd -m jupyter-eve")
    records = made.root / "var/lib/tljh/accounts"
    records.mkdir(parents=True, exist_ok=True)
    uid = made.run("id", "-u", "jupyter-ann").stdout.strip()
    (records / "jupyter-ann.json").write_text(f'{{"uid":{uid},"name":"ann"}}\n')
    # Somebody removed this account and made another of that name.
    (records / "jupyter-bob.json").write_text('{"uid":4711,"name":"bob"}\n')
    told = call(made, "postrm", ["purge"])
    assert "jupyter-bob was not made by tljh and stays" in told.stderr
    accounts = (made.root / "etc/passwd").read_text()
    assert "jupyter-ann:" not in accounts
    assert "jupyter-bob:" in accounts
    assert "jupyter-eve:" in accounts
    home = (made.root / "home/jupyter-ann").stat()
    assert (home.st_uid, home.st_mode & 0o7777) == (0, 0o700)
    assert "Kept, owned by root" in told.stderr
    assert "jupyterhub-users" not in (made.root / "etc/group").read_text()


def test_purging_touches_nothing_of_upstreams_when_that_is_back(made):
    """An adoption that was given up: accounts, groups and environment are upstream's again."""
    made.run("sh", "-c", "groupadd jupyterhub-users; useradd -m jupyter-ada; mkdir -p /opt/tljh/hub/bin /opt/tljh/user/bin"
             " /opt/tljh/config /opt/tljh/generations/1; touch /opt/tljh/hub/bin/traefik /opt/tljh/user/bin/python")
    records = made.root / "var/lib/tljh/accounts"
    records.mkdir(parents=True)
    uid = made.run("id", "-u", "jupyter-ada").stdout.strip()
    (records / "jupyter-ada.json").write_text(f'{{"uid":{uid},"name":"ada"}}\n')
    for _ in range(2):
        call(made, "postrm", ["purge"])
    assert "jupyter-ada:" in (made.root / "etc/passwd").read_text()
    assert "jupyterhub-users:" in (made.root / "etc/group").read_text()
    assert (made.root / "home/jupyter-ada").stat().st_uid == int(uid)
    for path in ("opt/tljh/user/bin/python", "opt/tljh/config", "opt/tljh/hub/bin/traefik"):
        assert (made.root / path).exists()
    # Ours went with the conffiles of the package, and administrators are not left without.
    assert "%jupyterhub-admins" in (made.root / "etc/sudoers.d/jupyterhub-admins").read_text()
    assert not records.exists() and not (made.root / "opt/tljh/generations").exists()
    made.run("sh", "-c", "userdel -r jupyter-ada; groupdel jupyterhub-users; rm -r /opt/tljh /etc/sudoers.d/jupyterhub-admins")
