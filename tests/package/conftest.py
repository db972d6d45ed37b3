"""Each test here runs for every suite in `SUITES`, on the packages in `dist/debs`."""

import pytest

from tests.machines.places import suites
from tests.package.debs import System, read_debs


@pytest.fixture(scope="session", params=suites())
def suite(request):
    """The name of the Debian release."""
    return request.param


@pytest.fixture(scope="session")
def debs(suite):
    """{package name: Deb}."""
    return read_debs(suite)


@pytest.fixture(scope="session")
def system(suite, debs):
    """A system of the suite with all packages unpacked, none configured; tests only read it."""
    made = System(suite)
    try:
        made.unpack(*debs.values())
        # As configuring does with conffiles that nobody has changed.
        for path in made.root.glob("etc/**/*.dpkg-new"):
            path.rename(path.with_suffix(""))
        yield made
    finally:
        made.close()


@pytest.fixture
def bare_system(suite):
    """A system of the suite with none of our packages, for one test."""
    made = System(suite)
    try:
        yield made
    finally:
        made.close()
