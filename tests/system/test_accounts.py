"""Accounts of hub users: made at first spawn, mapped safely, recorded, never taken over."""

import json
import re

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

ACCOUNT = re.compile(r"jupyter-[a-z0-9_.-]{1,24}")
LONG = "x" * 64

# Hub name to account; None: any safe name.
NAMES = {
    "ada": "jupyter-ada",
    "12345": "jupyter-12345",
    LONG: "jupyter-xxxxxxxxxxxxxxxxxx-54e3a",
    "ada@school.example": None,
    "ada_school.example": "jupyter-ada_school.example-",
    "zoë": None,
    "-rf": "jupyter--rf",
}


def told(client, server=""):
    """Account, home, its mode and groups, as a kernel of the user's server sees them."""
    kernel = client.start_kernel(server)
    return json.loads(kernel.run(
        "import grp, json, os, pwd\n"
        "me = pwd.getpwuid(os.getuid())\n"
        "print(json.dumps({'name': me.pw_name, 'home': me.pw_dir, 'cwd': os.getcwd(),"
        " 'mode': oct(os.stat(me.pw_dir).st_mode & 0o7777),"
        " 'groups': sorted(grp.getgrgid(g).gr_name for g in os.getgroups())}))"
    ))


@pytest.fixture
def student(shared, teacher):
    """Adds the hub user `name` and logs them in for the first time; all are stopped after."""
    made = []

    def make(name):
        teacher.add_user(name)
        client = HubClient(shared.url, name).login("a first password")
        made.append(client)
        return client

    yield make
    for client in made:
        if client.server():
            client.stop_server()
        teacher.api("DELETE", f"users/{client.quoted}")


@pytest.mark.parametrize("name", NAMES)
def test_name_is_mapped_to_a_safe_account(shared, student, name):
    client = student(name)
    client.start_server()
    me = told(client)
    expected = NAMES[name]
    assert ACCOUNT.fullmatch(me["name"]), me
    if expected:
        assert me["name"].startswith(expected)
    assert me["home"] == me["cwd"] == f"/home/{me['name']}"
    assert me["mode"] == "0o700"
    assert me["groups"] == sorted([me["name"], "jupyterhub-users"])
    assert shared.output(f"systemctl is-active {me['name']}.service") == "active"


def test_capital_letters_are_the_same_user(shared, student):
    client = student("grace")
    client.start_server()
    again = HubClient(shared.url, "Grace").post_login("a first password")
    assert again.status == 200 and "/hub/home" in again.url
    assert told(client)["name"] == "jupyter-grace"


def test_names_that_look_alike_get_different_accounts(shared, student):
    accounts = set()
    for name in ("eve@a.example", "eve_a.example", "eve+a.example"):
        client = student(name)
        client.start_server()
        accounts.add(told(client)["name"])
    assert len(accounts) == 3


def test_admin_has_sudo_until_they_are_no_admin(shared, teacher, student):
    client = student("deputy")
    teacher.api("PATCH", "users/deputy", {"admin": True})
    client.start_server()
    kernel = client.start_kernel()
    assert "jupyterhub-admins" in told(client)["groups"]
    assert kernel.run("import subprocess; print(subprocess.getoutput('sudo -n id -u'))") == "0\n"
    client.stop_server()
    teacher.api("PATCH", "users/deputy", {"admin": False})
    client.start_server()
    assert "jupyterhub-admins" not in told(client)["groups"]
    assert "NoNewPrivs:\t1" in client.start_kernel().run("print(open('/proc/self/status').read())")


def test_foreign_account_is_never_taken_over(shared, student):
    shared.run("useradd --create-home jupyter-mallory && echo secret > /home/jupyter-mallory/own")
    before = shared.output("getent passwd jupyter-mallory; id jupyter-mallory; ls -ln /home | grep mallory")
    client = student("mallory")
    answer = client.request("POST", "/hub/api/users/mallory/server", {})
    page = client.request("GET", "/hub/spawn/mallory").text
    assert answer.status >= 400, answer.text
    assert "jupyter-mallory" in answer.text + page
    assert client.server() is None
    assert "jupyter-mallory" in shared.journal("-u", "jupyterhub")
    assert before == shared.output(
        "getent passwd jupyter-mallory; id jupyter-mallory; ls -ln /home | grep mallory"
    )
    shared.run("userdel --remove jupyter-mallory")


def test_foreign_home_is_never_taken_over(shared, student):
    shared.run("mkdir /home/jupyter-oscar && chown 4242 /home/jupyter-oscar")
    client = student("oscar")
    answer = client.request("POST", "/hub/api/users/oscar/server", {})
    assert answer.status >= 400 and client.server() is None
    assert shared.output("stat -c %u /home/jupyter-oscar") == "4242"
    assert shared.run("id jupyter-oscar", check=False).returncode != 0


def test_homes_are_closed_to_other_users(shared, student):
    first, second = student("ursula"), student("victor")
    first.start_server()
    second.start_server()
    seen = second.start_kernel().run(
        "import subprocess; print(subprocess.getoutput('ls /home/jupyter-ursula; ls /tmp'))"
    )
    assert "Permission denied" in seen


def test_unknown_user_and_wrong_password_get_the_usual_page_and_a_log_line(shared, teacher):
    for name, password in (("nobody-knows-me", "whatever-it-is"), ("admin", "not-the-password")):
        answer = HubClient(shared.url, name).post_login(password)
        assert "Invalid username or password" in answer.text
        wait_for(
            lambda: re.search(rf"Failed login for '?{name}", shared.journal("-u", "jupyterhub")),
            10, "a log line",
        )
    assert shared.run("id jupyter-nobody-knows-me", check=False).returncode != 0
