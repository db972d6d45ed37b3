"""An environment of CPython and the whole bundle, by which a class would work."""

import json
import re
import socket
import subprocess
import urllib.request

import pytest

from tests.conda.engine import Engine, versions
from tests.machines.places import wait_for

SERVERS = ["jupyterlab", "jupyterhub", "notebook", "nbgitpuller", "jupyter-resource-usage", "ipywidgets", "pip"]


class Environment:
    """The environment as in production: a generation, and a link to it by which it is used."""

    def __init__(self, folder):
        self.prefix, self.user = folder / "generations/1", folder / "user"
        self.user.symlink_to("generations/1")

    def run(self, program, *arguments, check=True, **settings):
        return subprocess.run(
            [self.user / "bin" / program, *arguments], capture_output=True, text=True, check=check, cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "JUPYTER_CONFIG_DIR": "/nonexistent", **settings},
        )

    def python(self, code):
        return self.run("python", "-c", code).stdout.strip()


@pytest.fixture(scope="module")
def environment(bundle, workshop_of_all):
    made = Environment(workshop_of_all)
    engine = Engine(workshop_of_all, [bundle.as_uri()])
    packages = engine.solve(*SERVERS)["packages"]
    engine.link(made.prefix, packages, target_prefix=str(made.user), specs=SERVERS)
    return made


def test_python_runs_by_the_link_and_knows_itself(environment):
    told = environment.python("import sys, sysconfig; print(sys.prefix, sysconfig.get_config_var('prefix'))")
    assert told == f"{environment.user} {environment.user}"
    environment.python("import ssl, sqlite3, ctypes, bz2, lzma, zlib, hashlib; ssl.create_default_context()")


def test_compiled_packages_load(environment):
    environment.python("import zmq, psutil, tornado, markupsafe, argon2; zmq.Context().term(); psutil.Process().memory_info()")


def test_pip_finds_every_package_and_nothing_missing(environment):
    listed = {one["name"].lower().replace("_", "-") for one in json.loads(environment.run("pip", "list", "--format=json").stdout)}
    assert {name.replace("_", "-").replace(".", "-") for name in versions(environment.prefix)} - {"python"} <= {
        name.replace(".", "-") for name in listed}
    assert environment.run("pip", "check").stdout == "No broken requirements found.\n"


def test_programs_start(environment):
    found = versions(environment.prefix)
    assert environment.run("jupyterhub-singleuser", "--version").stdout.strip() == found["jupyterhub"]
    assert environment.run("jupyter", "lab", "--version").stdout.strip() == found["jupyterlab"]
    for program in (environment.prefix / "bin").iterdir():
        first = program.read_bytes()[:300].split(b"\n")[0]
        if first.startswith(b"#!") and b"python" in first:
            assert re.fullmatch(rb"#!" + str(environment.user).encode() + rb"/bin/python3?(\.\d+)?", first), program


def test_a_notebook_of_a_class_is_executed(environment, tmp_path):
    cell = {"cell_type": "code", "source": "import sys; print(6 * 7, sys.prefix)", "metadata": {}, "outputs": [],
            "execution_count": None, "id": "one"}
    notebook = tmp_path / "class.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook.write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    environment.run("jupyter", "execute", "--inplace", notebook, HOME=str(tmp_path))
    [output] = json.loads(notebook.read_text())["cells"][0]["outputs"]
    assert "".join(output["text"]) == f"42 {environment.user}\n"


def test_jupyterlab_answers(environment, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [environment.user / "bin/jupyter-lab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
         "--IdentityProvider.token=secret", f"--ServerApp.root_dir={tmp_path}"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )

    def ask(path):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Authorization": "token secret"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    try:
        wait_for(lambda: b"started" in ask("api/status"), deadline=120)
        assert b"JupyterLab" in ask("lab")
    finally:
        process.terminate()
        process.wait(60)


def test_the_interpreter_can_be_put_anywhere(tmp_path):
    """Other tests need a second Python on a machine."""
    from tests.conda import cpython

    program = cpython.install(tmp_path / "python")
    told = subprocess.check_output([program, "-c", "import sys, ssl; print(sys.prefix)"], text=True)
    assert told == f"{tmp_path}/python\n"
