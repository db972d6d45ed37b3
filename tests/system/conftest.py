"""Fixtures of the system tests: the repository, fresh machines, machines with tljh installed.

`SUITES` chooses the Debian releases. A file that says `ON_ANY_RELEASE = True` is run on one of them, always the same
one: what it tests is ours alone, and the same program on each. With `EVERY=1` it is run on all. A file that names its
`RELEASES` is run on these. A failed test leaves its machines' journals in dist/logs.
"""

import os
import re
import zlib

import pytest

from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.hub_client import HubClient
from tests.machines.layers import installed_layers
from tests.machines.machine import Machine
from tests.machines.newer import Newer
from tests.machines.places import DIST, suites

# pytest keeps a fixture from test to test for the very same object alone.
RELEASES = suites()


def releases_for(module):
    """The Debian releases that the tests of `module` run on."""
    if hasattr(module, "RELEASES"):
        return module.RELEASES
    if not getattr(module, "ON_ANY_RELEASE", False) or os.environ.get("EVERY") == "1":
        return RELEASES
    return [RELEASES[zlib.crc32(module.__name__.encode()) % len(RELEASES)]]


def pytest_generate_tests(metafunc):
    if "suite" in metafunc.fixturenames:
        metafunc.parametrize("suite", releases_for(metafunc.module), indirect=True, scope="module")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Workers take the tests of one file and release together, which share a machine."""
    for item in items:
        release = item.callspec.params.get("suite", "") if hasattr(item, "callspec") else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.module.__name__}-{release}"))


@pytest.fixture(scope="module")
def suite(request):
    return request.param


class Machines:
    """Makes machines for one test and ends them with it."""

    def __init__(self, suite, repository):
        self.suite, self.repository, self.made = suite, repository, []

    def __call__(self, **options):
        """A booted machine with nothing of ours."""
        options.setdefault("suite", self.suite)
        machine = Machine(repository=self.repository, **options)
        self.made.append(machine)
        return machine.boot()

    def installed(self, packages="tljh", **options):
        """A booted machine on which tljh is installed and serves its login page."""
        machine = self(layers=installed_layers(self.suite, self.repository, packages), **options)
        wait_for_login_page(machine)
        return machine

    def keep_journals(self, title):
        target = DIST / "logs"
        target.mkdir(parents=True, exist_ok=True)
        for machine in self.made:
            if machine.leader:
                (target / f"{title}-{machine.name}.log").write_text(machine.journal())

    def end(self):
        for machine in self.made:
            machine.destroy()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{call.when}", report)
    if report.failed:
        report.sections += last_words(item)


def pytest_terminal_summary(terminalreporter):
    """The faults of all tests that try some."""
    counts = [value for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
              if report.when == "call" for name, value in report.user_properties if name == "faults"]
    if counts:
        tried, recovered = map(sum, zip(*counts))
        terminalreporter.write_line(f"faults tried: {tried}, recovered: {recovered}")


def last_words(item):
    """What the machines of a failed test wrote last, for who reads only what the runner printed."""
    used = [item.funcargs.get("shared"), *getattr(item.funcargs.get("machines"), "made", [])]
    for machine in used:
        if machine is not None and machine.leader:
            try:
                lines = machine.journal("-n", "60", "-u", "tljh*", "-u", "jupyter*").splitlines()
            except Exception as error:  # the test's own failure is what counts
                lines = [str(error)]
            yield f"journal of {machine.name}", "\n".join(line[:240] for line in lines)


def finish(request, made):
    try:
        if any(getattr(request.node, f"report_{when}", None) is not None
               and getattr(request.node, f"report_{when}").failed for when in ("setup", "call")):
            made.keep_journals(re.sub(r"\W+", "-", request.node.name).strip("-"))
    finally:
        made.end()


@pytest.fixture
def machines(request, suite, repository):
    """Makes fresh machines: `machines()`, `machines(offline=True)`, `machines.installed()`."""
    made = Machines(suite, repository)
    yield made
    finish(request, made)


@pytest.fixture(scope="module")
def shared(request, suite, repository):
    """One installed machine for all tests of a file, which must not disturb each other."""
    made = Machines(suite, repository)
    machine = made.installed()
    failed = request.session.testsfailed
    yield machine
    if request.session.testsfailed > failed:
        made.keep_journals(re.sub(r"\W+", "-", request.module.__name__))
    made.end()


@pytest.fixture(scope="module")
def teacher(shared):
    """The first admin at the shared machine, logged in."""
    return HubClient(shared.url, "admin").login(read_admin_password(shared))


@pytest.fixture
def newer(suite, tmp_path):
    """Makes next versions of the packages: `newer(1)`."""
    def make(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        return Newer(suite, folder, number)

    return make
