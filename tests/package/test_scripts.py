"""Maintainer scripts, debconf's questions and sudo's rules."""

import re

import pytest

from tests.machines.places import PROJECT
from tests.package.debs import NAMES, PYTHON

SUDOERS = "/etc/sudoers.d/jupyterhub-admins"


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
        assert ("cannot be taken over as it is" in debs[name].script("preinst")) == (name != "tljh-archive-keyring")


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


def lay_upstream(bare_system):
    """What tells an installation of upstream's, with something in each place where ours comes."""
    texts = {
        "opt/tljh/installer.log": "Setting up TLJH\n",
        "opt/tljh/hub/bin/traefik": "",
        "opt/tljh/hub/bin/tljh-config": "#!/opt/tljh/hub/bin/python3\n",
        "opt/tljh/config/config.yaml": "users: {admin: [ada]}\n",
        "opt/tljh/state/jupyterhub_cookie_secret": "c00kie\n",
        "opt/tljh/user/bin/python": "",
        "etc/systemd/system/jupyterhub.service": "[Service]\nExecStart=/opt/tljh/hub/bin/python3 -m jupyterhub\n",
        "etc/systemd/system/jupyterhub.service.d/own.conf": "[Service]\nPrivateDevices=no\n",
        "etc/systemd/system/traefik.service": "[Service]\nExecStart=/opt/tljh/hub/bin/traefik\n",
        SUDOERS.lstrip("/"): "%jupyterhub-admins ALL = (ALL) NOPASSWD: ALL\n",
    }
    for name, text in texts.items():
        path = bare_system.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wants = bare_system.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in ("jupyterhub", "traefik"):
        (wants / f"{unit}.service").symlink_to(f"/etc/systemd/system/{unit}.service")
    (bare_system.root / "usr/bin/tljh-config").symlink_to("/opt/tljh/hub/bin/tljh-config")
    # dpkg makes this folder where it is not, and leaves it.
    (bare_system.root / "var/lib/tljh").mkdir()


def everything(bare_system):
    """Every file where upstream's are: its mode, and its text or target."""
    found = {}
    for top in ("opt", "etc/systemd/system", "etc/sudoers.d", "usr/bin", "usr/share/tljh"):
        for path in (bare_system.root / top).rglob("*"):
            if path.is_symlink() or path.is_file():
                content = path.readlink() if path.is_symlink() else path.read_bytes()
                found[str(path)] = (path.lstat().st_mode, content)
    return found


def status(bare_system, name):
    return bare_system.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", name, check=False).stdout


FLAWS = {
    "opt/tljh/config/config.yaml": "users: [\n",
    "opt/tljh/state/jupyterhub.sqlite": "no database at all\n",
    "opt/tljh/state/passwords.dbm": "no passwords\n",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_an_installation_of_upstream_with_a_flaw_is_refused_by_each_package_and_not_touched(debs, suite, bare_system, flaw):
    lay_upstream(bare_system)
    (bare_system.root / flaw).write_text(FLAWS[flaw])
    if flaw.endswith("yaml"):
        # A base system alone does not read YAML; upstream's own Python does.
        site = bare_system.root / "usr/local/lib" / f"python{PYTHON[suite]}" / "dist-packages"
        site.mkdir(parents=True, exist_ok=True)
        (site / "yaml.py").write_text("def safe_load(text):\n    raise ValueError('not closed')\n")
    before = everything(bare_system)
    for name in NAMES:
        if name == "tljh-archive-keyring":
            continue
        told = bare_system.unpack(debs[name], check=False)
        assert told.returncode != 0
        assert "nothing was changed" in told.stderr and f"`/{flaw}`" in told.stderr and "hint: " in told.stderr
        assert status(bare_system, name) in ("", "not-installed")
    assert everything(bare_system) == before


def test_an_environment_of_a_stranger_is_refused(debs, bare_system):
    path = bare_system.root / "opt/tljh/hub/pyvenv.cfg"
    path.parent.mkdir(parents=True)
    path.write_text("home = /usr/bin\n")
    told = bare_system.unpack(debs["tljh-hub"], check=False)
    assert "made neither by this package nor by upstream's installer" in told.stderr
    assert path.exists()


def test_what_is_upstreams_is_set_aside_while_it_is_unpacked_and_back_when_it_is_removed(debs, bare_system):
    lay_upstream(bare_system)
    before = everything(bare_system)
    for _ in range(2):
        bare_system.unpack(debs["tljh-hub"])
        aside = bare_system.root / "opt/tljh/.upstream"
        assert (aside / "hub/bin/traefik").exists() and (aside / "units/jupyterhub.service.d/own.conf").exists()
        assert not (bare_system.root / "etc/systemd/system/jupyterhub.service").exists()
        # The very conffile of tljh, about which dpkg then asks nothing.
        ours = (bare_system.root / SUDOERS.lstrip("/")).read_text()
        assert ours == (PROJECT / "debian/tljh/jupyterhub-admins.sudoers").read_text()
        # Other packages, and the same one again, find their work done.
        bare_system.unpack(debs["tljh-config"], debs["tljh-hub"])
        bare_system.run("dpkg", "--force-depends", "--purge", "tljh-config", "tljh-hub")
        assert everything(bare_system) == before


def test_an_unpacking_that_fails_brings_upstreams_back(debs, bare_system):
    lay_upstream(bare_system)
    before = everything(bare_system)
    whole = debs["tljh-hub"].path.read_bytes()
    (bare_system.root / "tmp/half.deb").write_bytes(whole[:len(whole) // 2])
    told = bare_system.run("dpkg", "--force-depends", "--unpack", "/tmp/half.deb", check=False)
    assert told.returncode != 0
    assert "upstream's installation is back" in told.stderr
    assert everything(bare_system) == before
