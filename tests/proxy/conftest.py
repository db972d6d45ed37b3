"""The hub's environment, made once under ${TLJH_CACHE:-/var/cache/tljh}/proxy-venv."""

import subprocess
import sys

import pytest

from tests.proxy.programs import CACHE

JUPYTERHUB = "6.1.1"


@pytest.fixture(scope="session")
def hub_bin():
    """The folder of programs of an environment with JupyterHub and a single-user server."""
    folder = CACHE / "proxy-venv"
    if not (folder / "bin/jupyterhub-singleuser").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        packages = [f"jupyterhub=={JUPYTERHUB}", "jupyterlab"]
        subprocess.run([folder / "bin/pip", "install", "-q", *packages], check=True)
    return folder / "bin"
