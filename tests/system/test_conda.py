"""The teacher moves the class to conda packages: channel over HTTP, conda's own command, a notebook in JupyterLab."""

import json
import shutil

import pytest

from tests.conda.channel import Channel, bundle_channel
from tests.conda.packages import add_compiled
from tests.machines.browser import Browser
from tests.machines.hub_client import HubClient

import lab

ON_ANY_RELEASE = True

PASSWORD = "a first password"
CHANNEL = "/srv/channel"
NOTEBOOK = {
    "cells": [{"cell_type": "code", "id": "one", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
              for source in ("import answer, sys\nanswer.VALUE", "sys.prefix")],
    "metadata": {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}},
    "nbformat": 4, "nbformat_minor": 5,
}


@pytest.fixture(scope="module")
def channel(shared):
    """The bundle's packages, CPython and a compiled one, served on the machine."""
    folder = shared.root / CHANNEL.lstrip("/")
    shutil.copytree(bundle_channel(), folder)
    made = Channel(folder)
    add_compiled(made)
    made.write_index()
    shared.run(f"systemd-run --unit=channel python3 -m http.server 8098 --bind 127.0.0.1 --directory {CHANNEL}")
    shared.run("tljh-config add-item user_environment.channels http://127.0.0.1:8098")


@pytest.fixture(scope="module")
def student(shared, teacher):
    teacher.add_user("pupil")
    client = HubClient(shared.url, "pupil").login(PASSWORD)
    client.start_server()
    return client


@pytest.fixture(scope="module")
def desk(teacher):
    """What the teacher types into a cell after `!`; what it printed."""
    teacher.start_server()
    kernel = teacher.start_kernel()

    def run(command):
        told = kernel.run(
            "import json, subprocess\n"
            f"done = subprocess.run({command!r}, shell=True, capture_output=True, text=True)\n"
            "print(json.dumps([done.returncode, done.stdout, done.stderr]))", timeout=600,
        )
        code, printed, said = json.loads(told)
        assert code == 0, said
        return printed

    return run


def test_everybody_moves_to_conda_and_what_runs_goes_on(shared, channel, student, desk):
    old = student.start_kernel()
    answer = json.loads(desk("sudo tljh-user-env switch conda --yes --json"))
    assert answer["pip"] == [] and answer["left_out"] == []
    assert shared.output("readlink /opt/tljh/user") == f"generations/{answer['generation']}"
    assert old.run("import jupyterlab, sys; print(sys.base_prefix)") == "/usr\n"
    new = student.start_kernel()
    assert new.run("import sys; print(sys.base_prefix)") == f"/opt/tljh/generations/{answer['generation']}\n"
    shared.run("tljh-user-env check --deep", timeout=600)


def test_conda_install_works_as_admins_type_it(shared, student, desk):
    desk("sudo -E conda install -y answer")
    assert "answer" in desk("conda list")
    assert student.start_kernel().run("import answer; print(answer.VALUE)") == "42\n"
    folders = "/opt/tljh/user /opt/tljh/user/lib /opt/tljh/user/bin"
    assert shared.output(f"stat -L -c %U:%G {folders}").split() == ["root:jupyterhub-admins"] * 3
    assert shared.output("find /opt/tljh -ignore_readdir_race ! -readable -prune -o -writable ! -type l -print", user="jupyter-pupil") == ""


def test_a_student_runs_a_class_notebook_in_jupyterlab(shared, student):
    student.stop_server()
    shared.write("/home/jupyter-pupil/class.ipynb", json.dumps(NOTEBOOK))
    shared.run("chown jupyter-pupil: /home/jupyter-pupil/class.ipynb")
    student.start_server()
    browser = Browser(f"{shared.suite}-conda")
    try:
        lab.log_in(browser, shared.url, "pupil", PASSWORD)
        lab.open_notebook(browser, shared.url, "pupil", "class.ipynb")
        lab.run_all_cells(browser)
        browser.find(".jp-OutputArea-output", "generations")
        texts, _ = lab.outputs(browser)
        assert texts[0] == "42" and "/opt/tljh/generations/" in texts[1]
        browser.screenshot("class")
    finally:
        browser.close()


def test_the_way_back_is_one_command(shared, student, desk):
    desk("sudo tljh-user-env rollback 1")
    assert student.start_kernel().run("import sys; print(sys.base_prefix)") == "/usr\n"
    shared.run("tljh-user-env check")
