"""Packed again elsewhere and later, a package is the same to the bit; tests/reproducible builds everything again."""

import filecmp
import re
import subprocess
import time

import pytest

from tests.machines.places import PROJECT
from tests.package.building import build
from tests.reproducible.elsewhere import later

# The small ones, of every kind: a program with its pages, scripts with questions, the key.
PACKAGES = ("tljh-config", "tljh-archive-keyring", "tljh")


def test_packing_again_at_another_date_place_locale_and_umask_gives_the_same_bits(suite, debs, tmp_path):
    again = build(suite, PACKAGES, tmp_path, umask="077", TZ="Pacific/Kiritimati", LC_ALL="POSIX", **later())
    assert sorted(again) == sorted(PACKAGES)
    for name, path in again.items():
        for ending in (".deb", ".cdx.json"):
            assert filecmp.cmp(debs[name].path.with_suffix(ending), path.with_suffix(ending), shallow=False), f"{name}{ending}"


@pytest.fixture(scope="session")
def date():
    """That of the changelog, in seconds of Unix."""
    return int(subprocess.run(["dpkg-parsechangelog", "-l", PROJECT / "debian/changelog", "-S", "Timestamp"],
                              capture_output=True, text=True, check=True).stdout)


def test_the_date_in_the_packages_is_that_of_the_changelog(debs, date):
    for deb in debs.values():
        assert {member.mtime for member in deb.members.values()} == {date}


def test_no_program_tells_when_it_was_compiled(debs, system, date):
    """As C's __DATE__ does; mimalloc asks for it."""
    told = set()
    for deb in debs.values():
        for path in deb.files():
            if path.startswith(("/usr/bin/", "/usr/lib/tljh-user-env/tljh-conda")):
                content = (system.root / path.lstrip("/")).read_bytes()
                told |= set(re.findall(rb"\0([A-Z][a-z]{2} [ \d]\d 20\d\d)\0", content))
    assert told == {time.strftime("%b %e %Y", time.gmtime(date)).encode()}
