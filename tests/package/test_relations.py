"""What the packages say of each other and of the system."""

import re
import subprocess
from collections import Counter

from tests.package.debs import NAMES, PYTHON


def test_tljh_depends_on_every_other_package_at_exactly_its_version(debs):
    tljh = debs["tljh"]
    for name in NAMES:
        if name != "tljh":
            assert tljh.depends[name] == [f"= {tljh.version}"]


def test_all_packages_have_the_version_of_the_suite(debs, suite):
    versions = {deb.version for deb in debs.values()}
    assert len(versions) == 1
    assert versions.pop().endswith({"bookworm": "+deb12", "trixie": "+deb13"}[suite])


def test_only_the_python_that_the_environment_was_built_for_is_accepted(debs, suite, system):
    own = system.run("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip()
    assert own == PYTHON[suite]
    after = f"3.{int(own.split('.')[1]) + 1}"
    for name in ("tljh-hub", "tljh-user-env"):
        assert sorted(debs[name].depends["python3"]) == sorted([f">= {own}", f"<< {after}"])


def test_every_dependency_exists_in_the_suite(debs, system):
    """So that apt can install them, from the suite and our repository alone."""
    for deb in debs.values():
        for alternatives in deb.fields["Depends"].split(","):
            names = [one.split()[0] for one in alternatives.split("|")]
            # debconf-2.0 is what cdebconf provides beside debconf.
            assert any(n in NAMES or system.run("apt-cache", "show", n, check=False).stdout for n in names), alternatives


def test_no_two_packages_hold_the_same_file(debs):
    owners = Counter(path for deb in debs.values() for path in deb.files())
    assert [path for path, count in owners.items() if count > 1] == []


def test_no_relation_is_redundant(debs):
    for deb in debs.values():
        for name, relations in deb.depends.items():
            signs = [relation.split(" ")[0] for relation in relations]
            assert len(signs) == len(set(signs)), f"{deb.name}: {name} {relations}"


def needed(path):
    dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)


def owner(system, library):
    """The Debian package of a library that the loader knows by this name."""
    cache = system.run("/sbin/ldconfig", "-p").stdout
    found = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)$", cache, re.MULTILINE)
    if found is None:
        return None
    for path in (found[1], "/usr" + found[1]):
        known = system.run("dpkg", "-S", path, check=False)
        if known.returncode == 0:
            return known.stdout.split(":")[0]
    return None


def test_every_library_that_is_linked_to_comes_from_a_dependency(debs, system):
    owners = {}
    missing = set()
    for deb in debs.values():
        bundled = {path.rsplit("/", 1)[1] for path in deb.files()}
        for path, member in deb.files().items():
            at = system.root / path.lstrip("/")
            if not member.isfile() or member.size < 4 or at.open("rb").read(4) != b"\x7fELF":
                continue
            for library in needed(at):
                if library in bundled:
                    continue
                if library not in owners:
                    owners[library] = owner(system, library)
                # The loader itself belongs to libc6.
                if owners[library] not in deb.depends and not library.startswith("ld-linux"):
                    missing.add((deb.name, path, library))
    assert missing == set()


def test_no_program_needs_a_newer_library_than_the_suite_has(debs, system):
    for deb in debs.values():
        for path, member in deb.files().items():
            if path.startswith(("/usr/bin/", "/usr/lib/tljh-user-env/uv", "/usr/lib/tljh-user-env/tljh-conda")) or path.endswith(".so"):
                told = system.run("ldd", path, check=False)
                assert "not found" not in told.stdout + told.stderr, f"{path}: {told.stdout}{told.stderr}"
