"""JupyterHub's own tests of its proxy, from its wheel, with tljh-proxy in the place of configurable-http-proxy.

They call that program by name: stand_in.py has it. So they start it as an external proxy, stop it and start it anew,
and everything else in them that speaks to the hub goes through it.
"""

import os
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from tests.proxy.programs import PROXY, ROOT, free_ports

PACKAGES = ["pytest==9.2.0", "pytest-asyncio==1.5.0", "requests", "beautifulsoup4"]
HERE = Path(__file__).resolve().parent
ASYNCIO = ["asyncio_mode=auto", "asyncio_default_fixture_loop_scope=module", "asyncio_default_test_loop_scope=module"]

# Not of an external proxy: the hub starts it, and then takes 503, our answer while there is no route, for no answer.
UNFIT = "not test_proxy_bind_ip"


@pytest.fixture(scope="module")
def python(hub_bin, tmp_path_factory):
    """A Python that sees the hub's environment, and what JupyterHub's tests need on top."""
    folder = tmp_path_factory.mktemp("own") / "venv"
    subprocess.run([hub_bin / "python", "-m", "venv", folder], check=True)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = [
        subprocess.run([each / "python", "-c", purelib], check=True, capture_output=True, text=True).stdout.strip()
        for each in (hub_bin, folder / "bin")
    ]
    Path(packages[1], "hub.pth").write_text(packages[0])
    subprocess.run([folder / "bin/pip", "install", "-q", *PACKAGES], check=True)
    return folder / "bin/python"


@pytest.fixture
def run(python, hub_bin, tmp_path):
    """Runs tests of JupyterHub's, and gives how many passed and were skipped; all others count as failed."""
    programs, states = tmp_path / "bin", tmp_path / "states"
    programs.mkdir()
    states.mkdir()
    (programs / "configurable-http-proxy").symlink_to(HERE / "stand_in.py")

    def run(module, chosen, **environment):
        report = tmp_path / "report.xml"
        # With process numbers of their own, so that no server which a test started outlives the tests.
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.proxy.hub_localhost"]
        command += [f"-o{option}" for option in ASYNCIO] + ["-Wignore", "-k", chosen, f"--junitxml={report}"]
        path = os.pathsep.join([str(programs), str(hub_bin), os.environ["PATH"]])
        done = subprocess.run(
            [*command, "--pyargs", f"jupyterhub.tests.{module}"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": path,
                "PYTHONPATH": str(ROOT),
                "STAND_IN_FOLDER": str(states),
                "TLJH_PROXY": str(PROXY),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=540,
        )
        print(done.stdout[-8000:])
        suite = xml.parse(report).getroot().find("testsuite")
        count = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        assert list(states.iterdir()), "the proxy was started"
        assert not count["failures"] and not count["errors"] and done.returncode == 0
        return count["tests"] - count["skipped"], count["skipped"]

    return run


def test_proxy_tests(run):
    assert run("test_proxy", UNFIT) == (31, 2), "those skipped are for subdomains"


def test_proxy_tests_with_a_host_for_each_user(run):
    host = f"http://hub.localhost:{free_ports(1)[0]}"
    assert run("test_proxy", UNFIT, JUPYTERHUB_TEST_SUBDOMAIN_HOST=host) == (33, 0)


def test_api_tests_through_the_proxy(run):
    assert run("test_api", "proxy or spawn or progress or test_start_stop") == (23, 0)
