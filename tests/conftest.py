"""Fixtures of several groups of tests."""

import pytest

from tests.machines.places import DIST
from tests.machines.repository import Repository


@pytest.fixture(scope="session")
def repository():
    """The repository dist/apt, served."""
    if not (DIST / "apt" / "tljh.sources").exists():
        pytest.exit("there is no dist/apt; run `make repo`", 2)
    served = Repository()
    yield served
    served.close()
