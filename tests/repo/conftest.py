"""One small repository with two versions, served as the tests of machines serve the real one."""

from itertools import count

import pytest

from tests.machines.repository import Repository
from tests.repo.workshop import Reader, Workshop


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A repository with tljh 0.1.0 and 0.2.0 in both suites; tests only read it."""
    workshop = Workshop(tmp_path_factory.mktemp("published"))
    for version in ("0.1.0", "0.2.0"):
        workshop.make_both(version)
        workshop.build()
    return workshop


@pytest.fixture
def workshop(tmp_path):
    """An empty workshop for a test that builds."""
    return Workshop(tmp_path / "workshop")


@pytest.fixture
def serve():
    """serve(workshop) -> Repository, ended with the test; `.origin` is its address for the host."""
    servers = []

    def start(workshop):
        server = Repository(workshop.apt)
        server.origin = f"http://{server.address}:{server.port}"
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def reader(tmp_path):
    """reader(server, suite) -> Reader with empty directories."""
    number = count()

    def make(server, suite="bookworm"):
        keyring = server.directory / "tljh-archive-keyring.gpg"
        return Reader(tmp_path / f"apt{next(number)}", server.origin, suite, keyring)

    return make
