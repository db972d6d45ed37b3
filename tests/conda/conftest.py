"""Channels of the tests' own, and the program that uses them. No network is needed."""

import os
import shutil

import pytest

from tests.conda.channel import Channel, bundle_channel
from tests.conda.engine import Engine
from tests.conda.server import Server
from tests.machines.places import CACHE


@pytest.fixture
def workshop():
    """A folder on the disk of the cache, for one test: `/tmp` may be of another sort."""
    folder = CACHE / "conda-tests" / str(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def channel(workshop):
    return Channel(workshop / "channel")


@pytest.fixture
def engine(workshop, channel):
    """The program, with `channel` as `file://`."""
    return Engine(workshop, [channel.url])


@pytest.fixture
def server(channel):
    """`channel` over HTTP."""
    made = Server(channel.folder)
    yield made
    made.close()


@pytest.fixture
def remote(workshop, server):
    """The program, with `channel` over HTTP."""
    return Engine(workshop, [server.url])


@pytest.fixture(scope="session")
def bundle():
    """The channel of CPython and the bundle."""
    return bundle_channel()
