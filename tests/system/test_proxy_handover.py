"""The proxy is replaced under load, and crashes, and nobody loses anything."""

import json
import re
import subprocess

import pytest

from tests.machines.install import wait_for_login_page
from tests.machines.places import DIST, PROJECT, wait_for

ON_ANY_RELEASE = True
PYTHON = "/opt/tljh/hub/bin/python"
API = ("curl -sS --fail-with-body -H \"Authorization: token $(cat /var/lib/tljh/proxy-api-token)\" "
       "http://127.0.0.1:15002/api/routes")
SOCKETS = 500
# What wrk counts as lost; reconnecting after "Connection: close" is none of it.
LOST = re.compile(r"Socket errors: .*|Non-2xx or 3xx responses: .*")


def main_pid(machine):
    return machine.output("systemctl show --property=MainPID --value tljh-proxy")


def processes(machine):
    return machine.run("pgrep --exact tljh-proxy", check=False).stdout.split()


def add_route(machine, prefix, port):
    machine.run(f"{API}{prefix} --data '{{\"target\": \"http://127.0.0.1:{port}\"}}'")


class Load:
    """Small requests, WebSockets that count, and a long download, through the proxy."""

    def __init__(self, machine):
        self.machine = machine
        self.wrk = subprocess.Popen(
            ["wrk", "--threads=1", "--connections=8", "--duration=600", "--timeout=60s", machine.url.rstrip("/") + "/load/x"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        self.press = machine.start(
            [PYTHON, "/root/load.py", "press", "http://127.0.0.1", str(SOCKETS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        assert self.press.stdout.readline() == "pressing\n"

    def end(self):
        """Ends it and asserts that nothing was lost."""
        said, _ = self.press.communicate("", timeout=120)
        self.wrk.send_signal(2)
        requests, _ = self.wrk.communicate(timeout=60)
        assert LOST.findall(requests) == [], requests
        assert int(re.search(r"(\d+) requests in", requests)[1]) > 100, requests
        counted = json.loads(said)
        assert counted.pop("messages") > SOCKETS
        assert counted == {
            "wrong": 0, "closed": 0, "download was whole": True, "download was under way": True,
        }

    def kill(self):
        for process in (self.wrk, self.press):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def server(shared):
    """A server of the test's own on the machine, and its route."""
    shared.write("/root/load.py", (PROJECT / "tests/data/load.py").read_text())
    running = shared.start([PYTHON, "/root/load.py", "serve", "9999"])
    shared.wait_for("curl -sf http://127.0.0.1:9999/load/x")
    add_route(shared, "/load", 9999)
    yield
    running.kill()
    shared.run("pkill -f '[l]oad.py'", check=False)


@pytest.fixture
def load(shared, server):
    pressing = Load(shared)
    yield pressing
    pressing.kill()


def test_reloads_lose_nothing(shared, load):
    first = main_pid(shared)
    for _ in range(3):
        before = main_pid(shared)
        shared.run("systemctl reload tljh-proxy")
        assert main_pid(shared) not in (before, "0")
    assert first in processes(shared)
    assert shared.output("systemctl is-active tljh-proxy") == "active"
    load.end()
    wait_for(lambda: processes(shared) == [main_pid(shared)], 100, "the old processes have ended")


def newer_packages(suite, folder):
    """The packages of `suite` as a next version, whose programs are the same."""
    for deb in (DIST / "debs" / suite).glob("*.deb"):
        unpacked = folder / deb.stem
        subprocess.run(["dpkg-deb", "-R", deb, unpacked], check=True)
        control = unpacked / "DEBIAN/control"
        version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
        control.write_text(control.read_text().replace(version, f"{version}.1"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", unpacked, folder], check=True,
                       stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.deb"))


def test_an_upgrade_of_the_packages_loses_nothing(shared, suite, tmp_path, load):
    before = main_pid(shared)
    for deb in newer_packages(suite, tmp_path):
        with deb.open("rb") as opened:
            subprocess.run(shared.command(["sh", "-c", f"cat > /var/tmp/{deb.name}"]), stdin=opened, check=True)
    shared.run("apt-get install --yes --quiet /var/tmp/*.deb && rm /var/tmp/*.deb")
    wait_for_login_page(shared)
    assert main_pid(shared) not in (before, "0")
    load.end()


def test_another_port_is_taken_without_closing_what_is_open(shared, load):
    shared.run("tljh-config set http.port 8081 && tljh-config reload proxy")
    assert shared.output("curl -s http://127.0.0.1:8081/load/x") == "small"
    assert shared.run("curl -s http://127.0.0.1/load/x", check=False).returncode == 7
    shared.run("tljh-config unset http.port && tljh-config reload proxy")
    assert shared.output("curl -s http://127.0.0.1/load/x") == "small"
    said, _ = load.press.communicate("", timeout=120)
    assert json.loads(said)["closed"] == 0


def test_a_busy_port_is_refused_and_the_proxy_goes_on(shared, server):
    holder = shared.start(["python3", "-m", "http.server", "8082"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    shared.wait_for("curl -s -o /dev/null http://127.0.0.1:8082/")
    before = main_pid(shared)
    refused = shared.run("tljh-config set http.port 8082 && tljh-config reload proxy --no-rollback", check=False)
    assert refused.returncode == 1
    assert "`python3`" in refused.stderr and "8082" in refused.stderr, refused.stderr
    assert main_pid(shared) == before
    assert shared.output("curl -s http://127.0.0.1/load/x") == "small"
    shared.run("pkill -f '[h]ttp.server'; tljh-config unset http.port && tljh-config reload proxy")
    holder.wait()


def test_a_crash_refuses_no_connection_and_loses_no_route(shared, server):
    """Connections wait for the process that comes back; tests/proxy/test_crashes.py goes on for two minutes."""
    shared.write("/root/ask.sh", """
        while [ -e /run/asking ]; do
            curl -sS --max-time 30 -o /dev/null http://127.0.0.1/load/x 2>> /root/errors
            echo $? >> /root/answers
        done
    """)
    shared.run("touch /run/asking; : > /root/errors; : > /root/answers")
    asking = shared.start(["sh", "/root/ask.sh"])
    for number in range(8):
        add_route(shared, f"/kept/{number}", 9999)
        before = main_pid(shared)
        shared.run(f"kill -KILL {before}")
        wait_for(lambda: main_pid(shared) not in (before, "0"), 30, "the proxy comes back")
        shared.wait_for("systemctl is-active tljh-proxy")
    shared.run("rm /run/asking")
    asking.wait(timeout=60)
    # What the killed process was just answering is lost (52, 56: no whole answer); nothing is refused (7).
    answers = shared.output("sort /root/answers | uniq -c").split()
    assert set(answers[1::2]) <= {"0", "52", "56"}, (answers, shared.output("cat /root/errors"))
    routes = json.loads(shared.output(API))
    assert {f"/kept/{number}" for number in range(8)} <= set(routes)


def test_the_proxy_has_no_privilege(shared):
    status = shared.output(f"cat /proc/{main_pid(shared)}/status")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert re.search(rf"^{kind}:\t0+$", status, re.M), status
    told = shared.output("systemd-analyze security --no-pager tljh-proxy.service")
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", told)[1])
    assert exposure <= 1.5, told


def test_a_process_that_took_over_interrupts_nobody_at_work_either(shared):
    assert "SCHED_BATCH" in shared.output(f"chrt --pid {main_pid(shared)}")


def test_the_ports_are_held_by_systemd(shared):
    assert shared.output("systemctl show --property=NFileDescriptorStore --value tljh-proxy") == "3"
    for port in (80, 15002):
        told = shared.output(f"ss -ltnp 'sport = :{port}'")
        assert '"systemd",pid=1,' in told, told


def test_a_stopped_proxy_holds_no_port(shared):
    shared.run("systemctl stop tljh-proxy")
    assert "LISTEN" not in shared.output("ss -ltn 'sport = :80'")
    shared.run("systemctl start tljh-proxy")
    wait_for_login_page(shared)
