"""Fixtures of the tests on virtual machines: for what a container cannot show, which is limits, memory and power cuts.

They run on one of `SUITES`, the first, and with `EVERY=1` on all. Each machine takes a core and more for minutes, so
that tests/run.py gives them a stage of their own and two workers. Figures that a test notes come at the end of the run.
"""

import os
import re
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest

from tests.machines import image
from tests.machines.layers import installed_layers
from tests.machines.network import bind_server
from tests.machines.places import DIST, PROJECT, suites
from tests.machines.repository import QuietHandler, serve, stop
from tests.machines.vm import Vm

FIGURE = "figure"


def pytest_sessionstart(session):
    """These tests run on request only: whoever does not ask for them needs no emulator."""
    subprocess.run([PROJECT / "packaging/need.sh", PROJECT / "tests/vm/apt-packages.txt"], check=True)


@pytest.fixture(scope="module", params=suites() if os.environ.get("EVERY") == "1" else suites()[:1])
def suite(request):
    return request.param


@pytest.fixture(scope="module")
def layers(suite, repository):
    return installed_layers(suite, repository, extra=image.PACKAGES)


@pytest.fixture(scope="module")
def machine(request, suite, layers):
    """One virtual machine with tljh for all tests of a file, switched off."""
    with Vm(suite, layers) as made:
        failed = request.session.testsfailed
        yield made
        if request.session.testsfailed > failed:
            keep_logs(made, re.sub(r"\W+", "-", request.module.__name__))


def keep_logs(machine, title):
    target = DIST / "logs"
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{title}-console.log").write_bytes(machine.console.read_bytes())
    if machine.process:
        (target / f"{title}-journal.log").write_text(machine.journal())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    machine = item.funcargs.get("machine")
    if report.failed and machine is not None and machine.process:
        try:
            lines = machine.journal("-n", "60", "-u", "tljh*", "-u", "jupyter*").splitlines()
        except Exception as error:  # the test's own failure is what counts
            lines = [str(error)]
        report.sections.append((f"journal of {machine.name}", "\n".join(line[:240] for line in lines)))


@pytest.fixture
def figure(record_property):
    """Notes a line to be printed at the end of the run."""
    return lambda line: record_property(FIGURE, line)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == FIGURE and report.when == "call":
                terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def served_folder(tmp_path_factory):
    """A folder of the host and its address, which the machines reach."""
    folder = tmp_path_factory.mktemp("served")
    server = bind_server(lambda address: serve((address, 8000), partial(Folder, directory=folder)))
    host, port = server.server_address
    yield folder, f"http://{host}:{port}"
    stop(server)


class Folder(QuietHandler):
    """Plain files."""

    do_GET = SimpleHTTPRequestHandler.do_GET
