"""Channels of the tests' own, and the program that uses them. No network is needed."""

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conda.channel import Channel, bundle_channel
from tests.conda.engine import Engine
from tests.conda.server import Server


@contextmanager
def folder_in_memory():
    """A folder of its own: tens of thousands of small files for each test."""
    folder = Path(tempfile.mkdtemp(prefix="tljh-conda-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=3g", "conda", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


@pytest.fixture
def workshop():
    """A folder for one test."""
    with folder_in_memory() as folder:
        yield folder


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


@pytest.fixture(scope="module")
def workshop_of_all():
    """A folder for all tests of a file."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="session")
def bundle():
    """The channel of CPython and the bundle."""
    return bundle_channel()
