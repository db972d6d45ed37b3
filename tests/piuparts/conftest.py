"""Fixtures of the tests with piuparts: they run on request, on the releases that `SUITES` names."""

import subprocess

import pytest

from tests.machines.places import PROJECT, suites


def pytest_sessionstart(session):
    """Whoever does not ask for these tests needs no piuparts."""
    subprocess.run([PROJECT / "packaging/need.sh", PROJECT / "tests/piuparts/apt-packages.txt"], check=True)


@pytest.fixture(scope="module", params=suites())
def suite(request):
    return request.param
