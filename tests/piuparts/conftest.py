"""Fixtures of the tests with piuparts: they run on request, on the releases that `SUITES` names."""

import subprocess

import pytest

from tests.machines.places import DIST, PROJECT, suites
from tests.machines.repository import Repository


def pytest_sessionstart(session):
    """Whoever does not ask for these tests needs no piuparts."""
    subprocess.run([PROJECT / "packaging/need.sh", PROJECT / "tests/piuparts/apt-packages.txt"], check=True)


@pytest.fixture(scope="session")
def repository():
    if not (DIST / "apt" / "tljh.sources").exists():
        pytest.exit("there is no dist/apt; run `make repo`", 2)
    served = Repository()
    yield served
    served.close()


@pytest.fixture(scope="module", params=suites())
def suite(request):
    return request.param
