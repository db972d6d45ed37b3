"""The class: one machine, from installation to purge, with real people's tools.

The tests of this file follow one another on the same machine, as a term does.
"""

import json
import re
import subprocess
import sys

import pytest

from tests.machines import inventory
from tests.machines.browser import Browser
from tests.machines.hub_client import HubClient
from tests.machines.install import (
    add_repository, http_status, install, read_admin_password, wait_for_login_page,
)
from tests.machines.machine import Machine
from tests.machines.places import DATA, DIST, wait_for

import lab
import purging

STUDENTS = {"sam": "penguins-are-birds", "kim": "birds-are-dinosaurs"}


class Classroom:
    def __init__(self, suite, repository):
        self.machine = Machine(suite, repository)
        self.machine.boot()
        self.browsers = {}
        self.password = None

    def browser(self, name):
        if name not in self.browsers:
            self.browsers[name] = Browser(f"{self.machine.suite}-{name}")
        return self.browsers[name]

    def end(self):
        for browser in self.browsers.values():
            browser.close()
        self.machine.destroy()


@pytest.fixture(scope="module")
def room(suite, repository, request):
    made = Classroom(suite, repository)
    failed = request.session.testsfailed
    yield made
    if request.session.testsfailed > failed:
        for browser in made.browsers.values():
            browser.screenshot("failure")
        (DIST / f"class-{suite}.log").write_text(made.machine.journal())
    made.end()


def test_installation_serves_the_login_page(room):
    room.before = inventory.take(room.machine)
    add_repository(room.machine)
    done = install(room.machine)
    printed = done.stdout + done.stderr
    wait_for_login_page(room.machine)
    assert "/etc/tljh/initial-admin-password" in printed
    room.password = read_admin_password(room.machine)
    assert room.password not in printed
    assert room.machine.output("systemctl --failed --no-legend") == ""


def test_teacher_logs_in_with_the_initial_password_and_jupyterlab_opens(room):
    browser = room.browser("teacher")
    browser.open(room.machine.url)
    browser.find("#login_submit")
    browser.screenshot("login")
    lab.log_in(browser, room.machine.url, "admin", room.password)
    lab.wait_for_lab(browser)
    browser.screenshot("jupyterlab")
    room.machine.wait_for("! test -e /etc/tljh/initial-admin-password")


def test_teacher_installs_packages_for_everybody_with_sudo_and_without(room):
    browser = room.browser("teacher")
    lab.open_terminal(browser)
    for number, command in enumerate((
        "sudo -E pip install pandas scikit-learn matplotlib", "pip install seaborn",
    )):
        mark = f"/home/jupyter-admin/done-{number}"
        lab.type_in_terminal(browser, f"{command}; echo $? > {mark}")
        room.machine.wait_for(f"test -s {mark}", 300)
        browser.screenshot("pip")
        assert room.machine.output(f"cat {mark}") == "0"
    found = room.machine.output(
        "cd / && /opt/tljh/user/bin/python -c 'import pandas, sklearn, matplotlib, seaborn; print(seaborn.__file__)'",
        user="nobody",
    )
    # A process names its own generation.
    assert found.startswith(room.machine.output("realpath /opt/tljh/user") + "/")


def test_teacher_adds_two_students(room):
    browser = room.browser("teacher")
    lab.add_students(browser, room.machine.url, STUDENTS)
    browser.screenshot("students")
    room.machine.run("mkdir -p /srv/class")
    made = subprocess.run([sys.executable, DATA / "class.py"], capture_output=True, text=True, check=True)
    room.machine.write("/srv/class/class.ipynb", made.stdout)
    room.machine.write("/srv/class/penguins.csv", (DATA / "penguins.csv").read_text())


def test_students_choose_a_password_at_first_login_and_keep_it(room):
    browser = room.browser("student")
    lab.log_in(browser, room.machine.url, "sam", STUDENTS["sam"])
    lab.wait_for_lab(browser)
    browser.screenshot("jupyterlab")
    HubClient(room.machine.url, "kim").login(STUDENTS["kim"])
    again = HubClient(room.machine.url, "kim").post_login("a wrong password")
    assert "Invalid username or password" in again.text


def test_class_notebook_runs_and_its_picture_is_there(room):
    browser = room.browser("student")
    lab.open_terminal(browser)
    lab.type_in_terminal(browser, "cp /srv/class/* . && echo copied > .copied")
    room.machine.wait_for("test -s /home/jupyter-sam/.copied")
    lab.open_notebook(browser, room.machine.url, "sam", "class.ipynb")
    lab.run_all_cells(browser)
    browser.find(".jp-OutputArea-output", "remembers", 120)
    browser.screenshot("notebook")
    texts, pictures = lab.outputs(browser)
    browser.script("document.querySelector('.jp-OutputArea-output img').scrollIntoView()")
    browser.screenshot("picture")
    printed = "\n".join(texts)
    assert "333 penguins" in printed
    assert re.search(r"Gentoo +5092\.4", printed)
    assert float(re.search(r"accuracy ([\d.]+)", printed)[1]) > 0.9
    assert browser.texts(".jp-InputPrompt")[-1] == "[5]:"
    assert len(pictures) == 1 and pictures[0] > 300


def test_student_stays_within_their_rights(room):
    student = HubClient(room.machine.url, "sam").login(STUDENTS["sam"])
    kernel = student.start_kernel()
    code = """
import json, subprocess
def run(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr.strip()
print(json.dumps({name: run(command) for name, command in COMMANDS.items()}))
"""
    commands = {
        "id": "id -un; id -Gn",
        "sudo": "sudo -n id",
        "privileges": "grep NoNewPrivs /proc/self/status",
        "environment": "find /opt/tljh -ignore_readdir_race -writable ! -type l",
        "touch": "touch /opt/tljh/user/bin/mine",
        "neighbour": "ls /home/jupyter-admin",
        "settings": "ls /etc/tljh",
        "state": "ls /var/lib/tljh",
        "pip": "pip install -q --user cowsay && python3 -c 'import cowsay; print(cowsay.__file__)'",
    }
    told = json.loads(kernel.run(f"COMMANDS = {commands!r}\n{code}", timeout=120))
    assert told["id"][1].split() == ["jupyter-sam", "jupyter-sam", "jupyterhub-users"]
    assert told["sudo"][0] != 0
    assert told["privileges"][1].split() == ["NoNewPrivs:", "1"]
    assert told["environment"][1] == ""
    for name in ("touch", "neighbour", "settings", "state"):
        assert told[name][0] != 0 and "Permission denied" in told[name][2], (name, told[name])
    assert told["pip"][0] == 0, told["pip"]
    assert told["pip"][1].startswith("/home/jupyter-sam/.local/")


def test_restart_of_hub_and_proxy_keeps_the_kernel(room):
    browser = room.browser("student")
    kernel = re.search(r"kernel \d+", "\n".join(lab.outputs(browser)[0]))[0]
    room.machine.run("systemctl restart jupyterhub tljh-proxy")
    wait_for_login_page(room.machine)
    lab.run_last_cell(browser)
    wait_for(lambda: "[6]:" in browser.texts(".jp-InputPrompt"), 60, "the cell runs again")
    browser.screenshot("after-restart")
    last = lab.outputs(browser)[0][-1]
    assert last.startswith(kernel + " remembers 0.9")


def test_reinstallation_keeps_users_and_passwords(room):
    room.machine.run("apt-get -q -y remove tljh")
    assert http_status(room.machine.url) is None
    install(room.machine)
    wait_for_login_page(room.machine)
    assert not room.machine.output("ls /etc/tljh/initial-admin-password", check=False)
    for name, password in {"admin": room.password, **STUDENTS}.items():
        HubClient(room.machine.url, name).login(password)
    student = HubClient(room.machine.url, "sam").login(STUDENTS["sam"])
    student.start_server()
    assert student.start_kernel().run("print(open('class.ipynb').read(1))") == "{\n"


def test_purge_stops_and_removes_everything_of_ours(room):
    for browser in room.browsers.values():
        browser.open("about:blank")
    done = room.machine.run("apt-get -q -y purge tljh")
    printed = done.stdout + done.stderr
    purging.assert_nothing_of_ours_lives(room.machine)
    for name in ("admin", "sam"):
        assert f"/home/jupyter-{name}" in printed
        kept = room.machine.output(f"stat -c '%U:%G %a' /home/jupyter-{name}")
        assert kept == "root:root 700"


def test_autoremove_leaves_the_machine_as_it_was(room):
    room.machine.run("apt-get -q -y autoremove --purge")
    purging.forget_repository(room.machine)
    room.machine.run("rm -r /srv/class")
    purging.assert_as_before(room.machine, room.before, purging.KEPT_HOMES)
