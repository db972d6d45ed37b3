"""Runs on request: everything is built again, which takes as long as the first `make debs`."""

import subprocess

import pytest

from tests.machines.places import PROJECT, suites
from tests.package.debs import NAMES
from tests.reproducible.elsewhere import Elsewhere

FOUND = pytest.StashKey()


def pytest_sessionstart(session):
    subprocess.run([PROJECT / "packaging/need.sh", PROJECT / "tests/reproducible/apt-packages.txt"], check=True)
    session.config.stash[FOUND] = []


def pytest_generate_tests(metafunc):
    if "package" in metafunc.fixturenames:
        metafunc.parametrize("suite, package", [(suite, package) for suite in suites() for package in NAMES])


@pytest.fixture(scope="session")
def second():
    with Elsewhere(suites()) as build:
        build.build()
        yield build


@pytest.fixture
def found(request):
    """found(line): told at the end, also by a test that passed."""
    return request.config.stash[FOUND].append


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("built twice")
    lines = config.stash[FOUND]
    for line in lines:
        terminalreporter.write_line(line)
    same = sum(line.startswith("identical") for line in lines)
    terminalreporter.write_line(f"{same} of {len(lines)} files are identical")
