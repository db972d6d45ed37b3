"""Services: what survives a restart and a reboot, and what a user's unit may do."""

import itertools
import re

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.places import wait_for

PASSWORD = "a first password"
NAMED_SERVERS = "c.JupyterHub.allow_named_servers = True\n"
NUMBERS = itertools.count(1)
SNIPPET = "/etc/tljh/jupyterhub_config.d/test.py"


def properties(machine, unit, *names):
    shown = machine.output(f"systemctl show {unit} -p {','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


@pytest.fixture
def student(shared, teacher):
    """One student with a running server."""
    name = f"student{next(NUMBERS)}"
    teacher.add_user(name)
    client = HubClient(shared.url, name).login(PASSWORD)
    client.start_server()
    yield client
    if client.server():
        client.stop_server()
    teacher.api("DELETE", f"users/{name}")


@pytest.mark.parametrize("units", ["jupyterhub", "tljh-proxy", "jupyterhub tljh-proxy"])
def test_restart_leaves_servers_and_kernels_running(shared, student, units):
    kernel = student.start_kernel()
    kernel.run("held = 42")
    shared.run(f"systemctl restart {units}")
    wait_for_login_page(shared)
    wait_for(lambda: kernel.run("print(held)") == "42\n", 30, "the kernel answers")
    assert student.server_ready()


def test_killed_hub_and_proxy_come_back_and_servers_do_not_notice(shared, student):
    kernel = student.start_kernel()
    kernel.run("held = 42")
    for unit in ("jupyterhub", "tljh-proxy"):
        before = properties(shared, unit, "MainPID")
        shared.run(f"systemctl kill -s KILL {unit}")
        wait_for(lambda: properties(shared, unit, "MainPID") not in (before, {"MainPID": "0"}), 30)
    wait_for_login_page(shared)
    wait_for(lambda: kernel.run("print(held)") == "42\n", 30, "the kernel answers")


def test_proxy_restart_does_not_restart_the_hub(shared, teacher):
    before = properties(shared, "jupyterhub", "MainPID")
    shared.run("systemctl restart tljh-proxy")
    wait_for_login_page(shared)
    assert properties(shared, "jupyterhub", "MainPID") == before


def test_user_unit_is_confined(shared, student):
    unit = properties(
        shared, f"jupyter-{student.name}.service",
        "User", "NoNewPrivileges", "PrivateTmp", "Slice", "MemoryMax",
    )
    assert unit == {
        "User": unit["User"], "NoNewPrivileges": "yes", "PrivateTmp": "yes",
        "Slice": "tljh-users.slice", "MemoryMax": "infinity",
    }
    uid = shared.output(f"id -u jupyter-{student.name}")
    assert unit["User"] in (uid, f"jupyter-{student.name}")
    student.start_kernel().run("open('/tmp/private', 'w').write('mine')")
    assert shared.run("ls /tmp/private", check=False).returncode != 0


def test_proxy_runs_unprivileged(shared, teacher):
    unit = properties(shared, "tljh-proxy", "User", "NoNewPrivileges", "MainPID")
    assert unit["User"] == "tljh-proxy" and unit["NoNewPrivileges"] == "yes"
    status = shared.output(f"grep -E '^(Uid|CapEff)' /proc/{unit['MainPID']}/status")
    assert re.search(r"CapEff:\s+0+$", status, re.M), status


def test_two_named_servers_live_side_by_side(shared, teacher, student):
    shared.write(SNIPPET, NAMED_SERVERS)
    shared.run("tljh-config reload")
    wait_for_login_page(shared)
    for server in ("one", "two"):
        student.start_server(server)
    kernels = [student.start_kernel(server) for server in ("", "one", "two")]
    pids = {kernel.run("import os; print(os.getppid())") for kernel in kernels}
    assert len(pids) == 3
    student.stop_server("one")
    assert student.server_ready("two") and student.server_ready()
    assert kernels[2].run("print('alive')") == "alive\n"
    student.stop_server("two")
    shared.run(f"rm {SNIPPET} && tljh-config reload")


def test_stopped_hub_leaves_servers_running(shared, student):
    shared.run("systemctl stop jupyterhub")
    assert shared.output(f"systemctl is-active jupyter-{student.name}.service") == "active"
    shared.run("systemctl start jupyterhub")
    wait_for_login_page(shared)
    wait_for(student.server_ready, 30, "the hub finds the server again")


def test_idle_culler_runs_with_upstreams_defaults(shared, teacher):
    command = wait_for(lambda: shared.output("pgrep -af jupyterhub_idle_culler", check=False))
    for option in ("--timeout=600", "--cull-every=60", "--concurrency=5"):
        assert option in command
    assert "--cull-users" not in command and "--remove-named-servers" not in command


def test_everything_comes_back_after_a_reboot(machines):
    machine = machines.installed()
    password = read_admin_password(machine)
    teacher = HubClient(machine.url, "admin").login(password)
    teacher.start_server()
    machine.reboot()
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(password)
    wait_for(lambda: not teacher.server_ready(), 30, "the hub sees that the server has gone")
    teacher.start_server()
    assert teacher.start_kernel().run("print(6 * 7)") == "42\n"
    assert machine.output("systemctl is-system-running", check=False) == "running"


def test_everything_comes_back_after_a_power_cut(machines):
    machine = machines.installed()
    password = read_admin_password(machine)
    HubClient(machine.url, "admin").login(password).start_server()
    machine.run("sync")
    machine.cut_power()
    machine.boot()
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(password)
    wait_for(lambda: not teacher.server_ready(), 30, "the hub sees that the server has gone")
    teacher.start_server()
    assert teacher.start_kernel().run("print(6 * 7)") == "42\n"
