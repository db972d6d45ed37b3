"""Contents, owners and modes of the packages' files."""

import re

from tests.machines.base import mirrors
from tests.machines.places import CACHE, PROJECT
from tests.package.debs import PROGRAMS

# Files of others: wheels and the environment that is made of them.
FOREIGN = ("/opt/tljh/hub/lib/", "/opt/tljh/hub/share/", "/usr/lib/tljh-user-env/wheels/", "/usr/lib/tljh-user-env/uv")


def test_everything_belongs_to_root_and_only_root_writes(debs):
    for deb in debs.values():
        for path, member in deb.members.items():
            assert (member.uid, member.gid) == (0, 0), path
            assert member.issym() or member.mode & 0o7022 == 0, f"{path} {member.mode:o}"


def test_files_are_readable_and_only_programs_executable(debs):
    for deb in debs.values():
        for path, member in deb.files().items():
            if member.issym() or path.startswith("/etc/sudoers.d/"):
                continue
            program = re.match(r"/usr/bin/|/usr/lib/tljh/|/opt/tljh/hub/bin/|/usr/lib/tljh-user-env/(?:uv|tljh-conda)$", path)
            assert member.mode == (0o755 if program else 0o644), f"{path} {member.mode:o}"


def test_the_rules_for_sudo_are_readable_by_root_and_its_group_alone(debs):
    assert debs["tljh"].members["/etc/sudoers.d/jupyterhub-admins"].mode == 0o440


def test_nothing_is_installed_where_administrators_put_things(debs):
    """Policy 9.1.2, 10.7: /usr/local is theirs, and so is /etc, but for what they are meant to change."""
    allowed = {"/etc/sudoers.d/jupyterhub-admins", "/etc/profile.d/tljh.sh", "/etc/needrestart/conf.d/tljh.conf",
               "/etc/apt/apt.conf.d/60tljh"}
    for deb in debs.values():
        for path in deb.files():
            assert not path.startswith(("/usr/local/", "/var/", "/home/", "/run/", "/root/")), path
            assert not path.startswith("/etc/") or path in allowed, path


def test_what_is_in_etc_is_a_conffile(debs):
    for deb in debs.values():
        ours = sorted(path for path in deb.files() if path.startswith("/etc/"))
        assert sorted(deb.script("conffiles").split()) == ours


def test_every_package_has_its_copyright_and_changelog(debs):
    for deb in debs.values():
        for name in ("copyright", "changelog.gz"):
            assert deb.members[f"/usr/share/doc/{deb.name}/{name}"].size > 100


def test_the_copyright_file_names_every_bundled_distribution(debs, system):
    text = (system.root / "usr/share/doc/tljh-hub/copyright").read_text()
    infos = {path.split("/")[7] for path in debs["tljh-hub"].files() if ".dist-info/" in path}
    assert len(infos) > 40
    assert [info for info in infos if f"/{info}/*" not in text] == []
    text = (system.root / "usr/share/doc/tljh-user-env/copyright").read_text()
    wheels = [path for path in debs["tljh-user-env"].files() if path.endswith(".whl")]
    assert [wheel for wheel in wheels if f"Files: {wheel[1:]}\n" not in text] == []


def test_no_file_names_a_folder_of_the_builder(debs, system):
    folders = [str(PROJECT).encode(), str(CACHE).encode(), b"/root/.cargo", b"/.cargo/registry", b"/build/hub.txt"]
    found = [(path, folder) for path, content in own_contents(debs, system) for folder in folders if folder in content]
    assert found == []


def test_no_file_names_a_package_mirror_of_the_builder(debs, system):
    hosts = {site.split("/")[2].encode() for site, _ in mirrors()}
    found = [(path, host) for path, content in own_contents(debs, system) for host in hosts if host in content]
    assert found == []


def test_the_environment_does_not_tell_where_it_was_fetched_from(debs):
    """direct_url.json is pip's record of an address or a path of the builder."""
    assert [path for path in debs["tljh-hub"].files() if path.endswith("/direct_url.json")] == []


def own_contents(debs, system):
    """(path, content) of each file and control file that is not from a wheel."""
    for deb in debs.values():
        for name in ("control", "config", "templates", "preinst", "postinst", "prerm", "postrm"):
            yield f"{deb.name} {name}", deb.script(name).encode()
        for path, member in deb.files().items():
            if member.isfile() and not path.startswith(FOREIGN):
                yield path, (system.root / path.lstrip("/")).read_bytes()


def test_every_program_says_its_version(debs, system):
    for path in (*(f"/usr/bin/{name}" for name in PROGRAMS), "/usr/lib/tljh-user-env/tljh-conda"):
        told = system.run(path, "--version").stdout
        assert re.fullmatch(rf"{path.rsplit('/', 1)[1]} \d+\.\d+\.\d+\S*\n", told)


def test_the_copyright_file_names_the_crates_of_every_program(debs, system):
    for package, program, crate in (("tljh-proxy", "usr/bin/tljh-proxy", "hyper"),
                                    ("tljh-user-env", "usr/bin/tljh-user-env", "clap"),
                                    ("tljh-user-env", "usr/lib/tljh-user-env/tljh-conda", "rattler")):
        text = (system.root / f"usr/share/doc/{package}/copyright").read_text()
        [paragraph] = [part for part in text.split("\n\n") if part.startswith(f"Files: {program}\n")]
        assert re.search(rf"^  {crate} \d", paragraph, re.MULTILINE)
