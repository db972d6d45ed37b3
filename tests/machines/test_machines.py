"""The test machines themselves: what every system test relies on."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.machines import inventory
from tests.machines.browser import Browser
from tests.machines.commands import CommandFailed
from tests.machines.machine import Machine
from tests.machines.network import bind_server
from tests.machines.places import suites, wait_for
from tests.machines.repository import Repository


ADDRESSES = ("http://localhost:8000", "http://packages.tljh.test")


def make_repository(directory, address):
    (directory / "greeting.html").write_text("<h1>hello</h1>")
    (directory / "tljh.sources").write_text(f"URIs: {address}\n")
    return Repository(directory)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    served = make_repository(tmp_path_factory.mktemp("repository"), ADDRESSES[0])
    yield served
    served.close()


@pytest.fixture(params=suites())
def machine(request, repository):
    with Machine(request.param, repository) as made:
        yield made.boot()


def test_boots_without_a_failed_unit(machine):
    assert machine.output("systemctl is-system-running") == "running"


def test_failing_command_says_what_it_printed(machine):
    with pytest.raises(CommandFailed, match="no such"):
        machine.run("echo no such luck >&2; exit 3")


def test_two_machines_have_port_80_each(machine, repository):
    with Machine(machine.suite, repository) as other:
        other.boot()
        for each, text in ((machine, "one"), (other, "two")):
            each.write("/srv/index.html", text)
            each.run("systemd-run --unit=pages python3 -m http.server -d /srv 80")
        for each, text in ((machine, "one"), (other, "two")):
            assert wait_for(lambda: other.output(f"curl -sf {each.url}", check=False)) == text


def test_disk_survives_reboot_and_power_cut(machine):
    machine.run("echo kept > /srv/kept")
    machine.reboot()
    assert machine.output("cat /srv/kept") == "kept"
    machine.cut_power()
    machine.boot()
    assert machine.output("cat /srv/kept") == "kept"


@pytest.mark.parametrize("address", ADDRESSES)
def test_offline_machine_reaches_the_repository_alone(address, tmp_path):
    repository = make_repository(tmp_path, address)
    with Machine(suites()[0], repository, offline=True) as machine:
        machine.boot()
        assert machine.output(f"curl -sf {repository.url}/greeting.html") == "<h1>hello</h1>"
        assert machine.run("curl -s -m 5 http://1.1.1.1", check=False).returncode == 7
    assert [request.path for request in repository.requests] == ["/greeting.html"]
    repository.close()


def test_kept_disk_starts_another_machine(repository, tmp_path):
    layer = tmp_path / "layer"
    with Machine(suites()[0], repository) as first:
        first.boot().run("mkdir -p /opt/made && echo 1 > /opt/made/file")
        first.keep_disk(layer)
        layers = [*first.layers, layer]
    with Machine(suites()[0], repository, layers=layers) as second:
        second.boot()
        second.run("mv /opt/made /opt/moved && python3 -c 'import os; os.rename(\"/opt/moved\", \"/opt/third\")'")
        assert second.output("cat /opt/third/file") == "1"


def test_inventory_shows_every_kind_of_change(machine):
    before = inventory.take(machine)
    found = inventory.differences(before, inventory.take(machine))
    assert inventory.unexpected(found, [(r"path /(var/log/journal|run)/", "both live")]) == []
    machine.run(
        "useradd --create-home x; chmod 700 /srv; ln -s /x /srv/link; systemctl mask ctrl-alt-del.target;"
        "systemd-run --unit=pages python3 -m http.server 81"
    )
    machine.wait_for("ss -Hltn | grep -q :81")
    found = "\n".join(inventory.differences(before, inventory.take(machine)))
    for line in (
        "passwd x: new", "shadow x: new", "subuid x: new", "path /home/x: new",
        "path /srv: drwxr-xr-x 0:0 -> drwx------ 0:0", "path /srv/link: new, lrwxrwxrwx 0:0 /x",
        "unit-file ctrl-alt-del.target", "unit pages.service: new", "socket tcp 0.0.0.0:81: new",
        "process /usr/bin/python3 -m http.server 81: new",
    ):
        assert line in found, found


def test_nothing_of_a_machine_is_left(repository):
    with Machine(suites()[0], repository) as machine:
        machine.boot()
        leader, directory, wire = machine.leader, machine.directory, machine.wire
    with open("/proc/self/mounts") as mounts:
        assert str(directory) not in mounts.read()
    assert not directory.exists()
    assert not Path(wire.path).exists()
    assert not Path(f"/proc/{leader}").exists()


def test_browser_sees_a_page_of_the_machine(machine):
    machine.write("/srv/index.html", "<h1>Good morning</h1>")
    machine.run("systemd-run --unit=pages python3 -m http.server -d /srv 80")
    wait_for(lambda: machine.run(f"curl -sf {machine.url}").returncode == 0)
    with Browser("machine") as browser:
        browser.open(machine.url)
        assert browser.find("h1").text == "Good morning"
        assert browser.screenshot("page").stat().st_size > 1000


class Slow(BaseHTTPRequestHandler):
    """A page that asks for more than Chromium has connections for (six). While one waits for a connection, the network of
    this host changes, as when machines are booted; Chromium would give up what waits."""

    PAGE = b"""<link rel="icon" href="data:,"><h1></h1><script>
        const asked = [0, 1, 2, 3, 4, 5, 6].map(number => fetch("/slow/" + number));
        Promise.all(asked).then(() => "whole", String).then(text => document.querySelector("h1").textContent = text)
    </script>"""

    def do_GET(self):
        if self.path.startswith("/slow/") and not self.server.released.is_set():
            if self.server.all_taken.wait(30) == 0:
                for _ in range(10):
                    change_network()
                self.server.released.set()
            self.server.released.wait(30)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.PAGE)))
        self.end_headers()
        self.wfile.write(self.PAGE)

    def log_message(self, *_):
        pass


def change_network():
    for command in ("link add tljh-test type veth peer name tljh-test2", "address add 198.51.100.1/32 dev tljh-test",
                    "link set tljh-test2 up", "link set tljh-test up", "link delete tljh-test"):
        subprocess.run(["ip", *command.split()], check=True)


def test_a_browser_loses_nothing_while_the_network_of_the_host_changes():
    server = bind_server(lambda address: ThreadingHTTPServer((address, 0), Slow))
    server.all_taken, server.released = threading.Barrier(6), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Browser("slow") as browser:
            browser.open("http://{}:{}/".format(*server.server_address))
            assert wait_for(lambda: browser.find("h1").text) == "whole"
    finally:
        server.shutdown()
        server.server_close()
