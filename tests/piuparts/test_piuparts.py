"""Debian's piuparts on our packages: what is installed, upgraded, removed and purged leaves nothing.

It works in a copy of a machine's disk, in that machine's network, where our repository and Debian's are reached as they
are by any other machine of the tests.
"""

import re
import subprocess

import pytest

from tests.machines.install import KEYRING, SOURCES, add_repository
from tests.machines.machine import Machine
from tests.machines.newer import renumber_debs
from tests.package.debs import NAMES

from ignored import IGNORED

OPTIONS = ["--no-eatmydata", "--keep-sources-list", "--skip-logrotatefiles-test"]
PASSED = re.compile(r"PASS: (.*)")


@pytest.fixture
def piuparts(suite, repository):
    """Runs piuparts; gives which of its tests passed."""
    with Machine(suite, repository) as machine:
        add_repository(machine)
        # tljh-archive-keyring takes both away with itself; what is installed after that comes from here too. By another
        # address, since apt wants one key for each.
        machine.run(f"mv {KEYRING} /usr/share/keyrings/test.gpg && sed 's#{KEYRING}#/usr/share/keyrings/test.gpg#; s#//localhost#//127.0.0.1#' {SOURCES}"
                    f" > /etc/apt/sources.list.d/test.sources && rm {SOURCES}")
        work = machine.directory / "piuparts"
        work.mkdir()

        def run(*arguments):
            ignored = [option for path, _ in IGNORED for option in ("--ignore-regex", path)]
            done = subprocess.run(
                ["nsenter", f"--net={machine.wire.path}", "--", "piuparts", *OPTIONS, *ignored, "--distribution", suite,
                 "--existing-chroot", machine.root, "--tmpdir", work, *arguments],
                capture_output=True, text=True, errors="replace",
            )
            printed = done.stdout + done.stderr
            assert done.returncode == 0, "\n".join(re.findall(r".*(?:ERROR|FAIL|WARN).*(?:\n +.*)*", printed)) + printed[-6000:]
            return PASSED.findall(printed)

        yield run


def test_all_packages_are_installed_upgraded_and_purged(piuparts, suite, tmp_path):
    renumber_debs(suite, tmp_path, ".1")
    passed = piuparts(*sorted(tmp_path.glob("*.deb")))
    assert passed[:2] == ["Installation and purging test.", "Installation, upgrade and purging tests."]


@pytest.mark.parametrize("name", NAMES)
def test_each_package_alone_is_installed_removed_installed_and_purged(piuparts, name):
    assert "Installation and purging test." in piuparts("--apt", "--install-remove-install", name)
