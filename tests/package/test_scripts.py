"""Maintainer scripts, debconf's questions and sudo's rules."""

import re

import pytest

from tests.package.debs import NAMES

SUDOERS = "/etc/sudoers.d/jupyterhub-admins"
UPSTREAM = {
    "its installer's log": "/opt/tljh/installer.log",
    "its proxy": "/opt/tljh/hub/bin/traefik",
}


def test_every_script_stops_at_its_first_error_and_parses(debs, system):
    for deb in debs.values():
        for name in ("config", "preinst", "postinst", "prerm", "postrm"):
            text = deb.script(name)
            if text:
                assert text.startswith("#!/bin/sh\n"), f"{deb.name} {name}"
                assert "\nset -e\n" in text, f"{deb.name} {name}"
                system.run("sh", "-n", f"/var/lib/dpkg/info/{deb.name}.{name}") if name != "config" else None


def test_scripts_that_dpkg_may_run_without_our_programs_call_none(debs):
    """preinst, and postrm on removal, run while no file of ours is unpacked (Policy 6.5)."""
    for deb in debs.values():
        for name in ("preinst", "postrm", "config"):
            commands = re.sub(r"<< 'END'.*?^END$|^\s*#.*$|echo .*$", "", deb.script(name), flags=re.DOTALL | re.MULTILINE)
            assert not re.search(r"(?:^|[;&|(]\s*)\s*tljh-(?:hub|config|user-env|proxy)\s", commands, re.MULTILINE)


def test_dpkg_tells_us_when_the_systems_default_python_is_unpacked(debs, system):
    assert "interest-noawait /usr/bin/python3" in debs["tljh"].script("triggers").splitlines()
    # A trigger sees the paths that packages have.
    assert system.run("dpkg", "-S", "/usr/bin/python3").stdout.startswith("python3-minimal:")


# What apt is about to do, as it tells its hooks: apt.conf(5), version 3 of DPkg::Pre-Install-Pkgs.
REMOVAL = "tljh 1 amd64 none > - - none **REMOVE**"
OTHER_PYTHON = "python3 3.11.2-1+b1 amd64 allowed < 3.13.5-1 amd64 allowed /var/cache/apt/archives/python3.deb"
SAME_PYTHON = OTHER_PYTHON.replace("3.13.5", "3.11.9")
UPGRADE = "tljh 1 amd64 none < 2 amd64 none /var/cache/apt/archives/tljh.deb"


@pytest.mark.parametrize("lines, refused", [
    ([REMOVAL, OTHER_PYTHON], True), ([OTHER_PYTHON, REMOVAL], True), ([REMOVAL], False), ([REMOVAL, SAME_PYTHON], False),
    ([UPGRADE, OTHER_PYTHON], False), ([OTHER_PYTHON], False), ([], False),
])
def test_apt_may_not_take_tljh_away_on_account_of_another_python_alone(system, lines, refused):
    told = "\n".join(["VERSION 3", "APT::Architecture=amd64", "", *lines])
    done = system.run("sh", "-c", f"printf '%s\\n' '{told}' | /usr/lib/tljh/refuse-removal", check=False)
    assert done.returncode == (1 if refused else 0), done.stderr
    assert ("Python 3.13.5" in done.stdout and "hint: run `sudo " in done.stdout) if refused else done.stdout == ""


def test_sudo_accepts_the_rules(system):
    system.run("visudo", "--check", "--strict", f"--file={SUDOERS}")


def test_sudo_rs_accepts_the_rules(suite, system):
    if suite == "bookworm":
        pytest.skip("bookworm has no sudo-rs")
    visudo = system.run("sh", "-c", "dpkg -L sudo-rs | grep -E 's?bin/.*visudo' | head -n 1").stdout.strip()
    told = system.run(visudo, "--check", f"--file={SUDOERS}")
    assert "error" not in (told.stdout + told.stderr).lower()


def test_debconf_loads_the_questions_with_their_defaults(debs, bare_system):
    (bare_system.root / "tmp/templates").write_text(debs["tljh"].script("templates"))
    bare_system.run("debconf-loadtemplate", "tljh", "/tmp/templates")
    told = bare_system.run("sh", "-c", "echo GET tljh/admins | debconf-communicate; echo GET tljh/purge-homes | debconf-communicate;"
                           " echo METAGET tljh/admin-password type | debconf-communicate").stdout
    assert told.splitlines() == ["0 admin", "0 false", "0 password"]


def test_every_package_that_meets_upstreams_files_has_the_refusal(debs):
    """tljh-archive-keyring alone puts nothing where upstream's installer does."""
    for name in NAMES:
        assert ("made by upstream's TLJH installer" in debs[name].script("preinst")) == (name != "tljh-archive-keyring")


def state_range(system):
    oldest, newest, through, schema = system.run("/usr/bin/tljh-hub", "state-range").stdout.split()
    return int(oldest), int(newest), through, schema


def write_state(bare_system, text):
    state = bare_system.root / "var/lib/tljh/state-version"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_that_the_package_does_not_know_is_refused_by_each_package(debs, system, bare_system, name):
    """dpkg unpacks one after the other, and goes on with the next where one refuses."""
    oldest, newest, through, _ = state_range(system)
    hints = {
        oldest - 1: f"-archive-keyring}}={through}*`",
        newest + 1: "stay with the version that is installed",
        "x": "run `sudo tljh-hub backup restore`",
    }
    for state, hint in hints.items():
        write_state(bare_system, f"{state}\n")
        told = bare_system.unpack(debs[name], check=False)
        assert told.returncode != 0
        assert "nothing was changed" in told.stderr and hint in told.stderr
        known = bare_system.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", name, check=False)
        assert known.stdout in ("", "not-installed")
    kept = bare_system.root / "var/lib/tljh/backups"
    for number, of in {2: oldest, 10: newest, 11: newest + 1, "junk": oldest}.items():
        (kept / str(number)).mkdir(parents=True)
        (kept / str(number) / "state-version").write_text(f"{of}\n")
    write_state(bare_system, f"{newest + 1}\n")
    assert "tljh-hub backup restore --keep-stopped 10`" in bare_system.unpack(debs[name], check=False).stderr


def test_a_hub_with_another_schema_needs_another_version_of_the_state(system):
    """So that a package that does not know the schema refuses it: see crates/tljh-hub/src/migrations.rs."""
    heads = system.run("/opt/tljh/hub/bin/python", "-c", "from alembic.script import ScriptDirectory; import jupyterhub.dbutil as d;"
                       " print(*ScriptDirectory(d.ALEMBIC_DIR).get_heads())").stdout.split()
    assert heads == [state_range(system)[3]]


@pytest.mark.parametrize("sign", UPSTREAM)
def test_an_installation_of_upstream_is_refused_before_anything_is_touched(debs, bare_system, sign):
    at = bare_system.root / UPSTREAM[sign].lstrip("/")
    at.parent.mkdir(parents=True)
    at.write_text("upstream's\n")
    before = sorted((bare_system.root / "opt").rglob("*"))
    for name in ("tljh-hub", "tljh-config", "tljh-proxy", "tljh"):
        told = bare_system.unpack(debs[name], check=False)
        assert told.returncode != 0
        assert "`/opt/tljh` was made by upstream's TLJH installer; nothing was changed" in told.stderr
        assert "hint: " in told.stderr
        state = bare_system.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", name, check=False)
        assert state.stdout in ("", "not-installed")
    assert sorted((bare_system.root / "opt").rglob("*")) == before
    assert at.read_text() == "upstream's\n"
    assert not (bare_system.root / "usr/bin/tljh-hub").exists()
