"""A machine with 768 MB of memory and two cores: enough for a hub and two users, whose limits hold."""

import json
import re

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.machines.places import wait_for

from patience import HUB, PATIENCE, give_servers_time

PASSWORD = "a first password"
# MiB and cores, for each user's server.
MEMORY, CORES = 256, 1
SERVICES = ("jupyterhub", "tljh-proxy")


def value(machine, unit, name):
    return machine.output(f"systemctl show --value -p {name} {unit}")


def group(machine, student):
    """The control group of a student's server."""
    return "/sys/fs/cgroup" + value(machine, f"jupyter-{student.name}.service", "ControlGroup")


def counters(machine, student, file):
    """A file of a student's control group that holds a name and a number in each line."""
    lines = machine.output(f"cat {group(machine, student)}/{file}").splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines)}


def megabytes(machine, *units):
    """What the processes of `units` have of the memory, pages that several share divided among them."""
    groups = " ".join(f"/sys/fs/cgroup{value(machine, unit, 'ControlGroup')}/cgroup.procs" for unit in units)
    told = machine.output(f"for pid in $(cat {groups}); do grep ^Pss: /proc/$pid/smaps_rollup; done")
    return round(sum(int(line.split()[1]) for line in told.splitlines()) / 1024)


@pytest.fixture(scope="module")
def students(machine):
    """Two students, each with a server within the limits."""
    machine.boot(without=HUB)
    give_servers_time(machine)
    machine.run(f"tljh-config set limits.memory {MEMORY}M && tljh-config set limits.cpu {CORES}")
    machine.poweroff()
    machine.boot()
    wait_for_login_page(machine, deadline=PATIENCE)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    made = []
    for name in ("ada", "ben"):
        teacher.add_user(name)
        student = HubClient(machine.url, name).login(PASSWORD)
        student.start_server(deadline=PATIENCE)
        made.append(student)
    return made


@pytest.fixture(scope="module")
def kernels(students):
    return [student.start_kernel() for student in students]


def test_768_mb_are_enough_for_hub_proxy_and_two_users_with_a_kernel_each(machine, students, kernels, figure):
    for kernel in kernels:
        assert kernel.run("held = 6 * 7; print(held)", PATIENCE) == "42\n"
    assert int(machine.output("grep -c . /proc/swaps")) == 1
    assert "oom-kill" not in machine.journal("-k")
    told = dict(line.split(":") for line in machine.output("cat /proc/meminfo").splitlines())
    total, available = (int(told[name].split()[0]) >> 10 for name in ("MemTotal", "MemAvailable"))
    assert total < 768
    parts = {unit: megabytes(machine, unit) for unit in (*SERVICES, *(f"jupyter-{each.name}" for each in students))}
    told = ", ".join(f"{unit} {size} MB" for unit, size in parts.items())
    figure(f"memory of 768 MB: {total} MB besides the kernel, {available} MB available; {told}")
    assert all(parts.values())


def test_a_busy_student_gets_the_processor_time_of_the_limit_and_no_more(machine, students, kernels, figure):
    kernels[0].run("import subprocess, sys", PATIENCE)
    kernels[0].run("loops = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(4)]", PATIENCE)

    def used():
        told = machine.output(f"cat /proc/uptime; cat {group(machine, students[0])}/cpu.stat")
        numbers = dict(line.split() for line in told.splitlines()[1:])
        return float(told.split()[0]), int(numbers["usage_usec"]) / 1e6, int(numbers["nr_throttled"])

    before = used()
    # Two cores would give them twice as much in this time.
    wait_for(lambda: used()[0] - before[0] > 10, PATIENCE, "ten seconds in the machine")
    seconds, busy, throttled = (after - earlier for after, earlier in zip(used(), before, strict=True))
    figure(f"four busy loops with limits.cpu {CORES}: {busy / seconds:.2f} cores, throttled {throttled} times")
    assert throttled > 0
    assert busy / seconds < 1.4 * CORES
    kernels[0].run("for loop in loops: loop.kill()", PATIENCE)


def test_a_memory_hog_is_killed_and_nobody_else_notices(machine, students, kernels, figure):
    # Where there is swap, a hog must not fill it either.
    machine.run("fallocate -l 512M /swap && chmod 600 /swap && mkswap /swap && swapon /swap")
    hog, neighbour = students
    mains = {unit: value(machine, unit, "MainPID")
             for unit in (*SERVICES, *(f"jupyter-{student.name}" for student in students))}
    first = kernels[0].run("import os; print(os.getpid())", PATIENCE).strip()
    connection = kernels[0].connect(PATIENCE)
    kernels[0].send(connection, "hoard = [b'x' * 10**6 for _ in range(10**6)]")
    wait_for(lambda: counters(machine, hog, "memory.events")["oom_kill"], PATIENCE, "the hog is killed")
    connection.close()
    # It is counted when the signal is sent.
    wait_for(lambda: machine.output(f"ps -o pid= {first} || true") == "", PATIENCE, "the hog is gone")
    # Jupyter starts another kernel in its place.
    wait_for(lambda: kernels[0].run("print('held' in globals())", 120) == "False\n", PATIENCE, "the hog's next kernel")
    assert kernels[1].run("print(held)", PATIENCE) == "42\n"
    assert counters(machine, neighbour, "memory.events")["oom_kill"] == 0
    assert mains == {unit: value(machine, unit, "MainPID") for unit in mains}
    files = ("memory.swap.max", "memory.swap.current", "memory.max")
    assert [int(machine.output(f"cat {group(machine, hog)}/{file}")) for file in files] == [0, 0, MEMORY << 20]
    kills = re.findall(r"oom-kill:constraint=(\w+),.*task_memcg=\S*/([^/,]+),", machine.journal("-k"))
    assert kills and set(kills) == {("CONSTRAINT_MEMCG", f"jupyter-{hog.name}.service")}, kills
    figure(f"a hog beyond limits.memory {MEMORY}M: {len(kills)} process killed, all of its own server")
    machine.run("swapoff /swap && rm /swap")


def test_everything_comes_back_by_itself_after_a_reboot(machine, students):
    machine.reboot()
    wait_for_login_page(machine, deadline=PATIENCE)
    assert machine.output("systemctl --failed --no-legend") == ""
    student = HubClient(machine.url, students[1].name).login(PASSWORD)
    wait_for(lambda: not student.server_ready(), PATIENCE, "the hub sees that the server has gone")
    student.start_server(deadline=PATIENCE)
    assert student.start_kernel().run("print(6 * 7)", PATIENCE) == "42\n"
    routes = json.loads(machine.output(
        "curl -sS -H \"Authorization: token $(cat /var/lib/tljh/proxy-api-token)\" http://127.0.0.1:15002/api/routes"
    ))
    assert {"/", f"/user/{student.name}/"} <= {path.rstrip("/") + "/" for path in routes}
