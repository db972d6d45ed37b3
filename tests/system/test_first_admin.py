"""The first admin: preseeded, or `admin` with a password that the installation makes."""

from tests.machines.hub_client import HubClient
from tests.machines.install import (
    PASSWORD_FILE, add_repository, install, read_admin_password, wait_for_login_page,
)

ON_ANY_RELEASE = True


def test_preseeded_admins_log_in_with_the_preseeded_password(machines):
    machine = machines()
    add_repository(machine)
    machine.run("debconf-set-selections", input=(
        "tljh tljh/admins string alice bob\n"
        "tljh tljh/admin-password password a:colon & 'quotes' \"too\"\n"
    ))
    done = install(machine)
    wait_for_login_page(machine)
    for name in ("alice", "bob"):
        admin = HubClient(machine.url, name).login("a:colon & 'quotes' \"too\"")
        assert admin.api("GET", "user")["admin"] is True
    assert machine.run(f"test -e {PASSWORD_FILE}", check=False).returncode != 0
    assert "quotes" not in done.stdout + done.stderr
    assert machine.output("grep -rl \"'quotes'\" /var/cache/debconf /var/log /etc /var/lib/tljh", check=False) == ""


def test_made_password_is_strong_secret_and_gone_after_the_first_login(machines):
    machine = machines.installed()
    assert machine.output(f"stat -c '%U:%G %a' {PASSWORD_FILE}") == "root:root 600"
    password = read_admin_password(machine)
    assert len(password) >= 12
    assert machine.output(f"grep -rlF {password} /var/log /var/cache/debconf", check=False) == ""
    assert password not in machine.journal()
    assert "/hub/home" not in HubClient(machine.url, "admin").post_login("x" + password).url
    assert read_admin_password(machine) == password
    HubClient(machine.url, "admin").login(password)
    assert machine.run(f"test -e {PASSWORD_FILE}", check=False).returncode != 0
    HubClient(machine.url, "admin").login(password)


def test_nobody_but_the_admin_gets_in_before_they_are_added(machines):
    machine = machines.installed()
    answer = HubClient(machine.url, "stranger").post_login("a long password")
    assert "/hub/home" not in answer.url
    assert machine.run("id jupyter-stranger", check=False).returncode != 0


def test_secrets_and_state_are_closed(machines):
    machine = machines.installed()
    HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
    modes = machine.output(
        "stat -c '%n %U:%G %a' /etc/tljh /etc/tljh/config.yaml /etc/tljh/jupyterhub_config.d "
        "/var/lib/tljh /run/tljh /home/jupyter-admin"
    ).splitlines()
    assert modes == [
        "/etc/tljh root:root 700", "/etc/tljh/config.yaml root:root 600",
        "/etc/tljh/jupyterhub_config.d root:root 700", "/var/lib/tljh root:root 700",
        "/run/tljh root:root 700", "/home/jupyter-admin jupyter-admin:jupyter-admin 700",
    ]
    for link, target in (("config", "/etc/tljh"), ("state", "/var/lib/tljh")):
        assert machine.output(f"readlink /opt/tljh/{link}") == target
    assert machine.output("stat -L -c '%U:%G %A' /opt/tljh/user") == "root:jupyterhub-admins drwxrwsr-x"
    machine.run("visudo -c")


def test_passwords_may_be_as_long_as_people_like(machines):
    machine = machines.installed()
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.add_user("ann")
    first, second = "ä" * 60, "ö" * 60
    ann = HubClient(machine.url, "ann").login(first)
    changed = ann.request("POST", "/hub/auth/change-password", form={"password": second, "_xsrf": ann.xsrf()})
    assert "changed successfully" in changed.text, changed.text
    HubClient(machine.url, "ann").login(second)
    for wrong in (first, "ö" * 30):
        assert "/hub/home" not in HubClient(machine.url, "ann").post_login(wrong).url
