"""Two minutes of crashes under load: what was acknowledged is there, and nobody is turned away.

As systemd does, the test keeps the listening sockets and starts a new process when one has ended.
"""

import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.proxy.programs import PROXY

TOKEN = "a-token-for-the-proxy"
SECONDS = 120
# Of which some strike while a route is being written, and some a process that only just came.
BETWEEN_KILLS = (0.2, 3.5)
CLIENTS = 4
PREFIXES = 60
# How long anything may take before the test fails.
DEADLINE = 60


class Supervisor:
    """Runs the proxy on sockets of its own, again whenever it ends."""

    def __init__(self, folder):
        self.folder = folder
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(2)]
        self.public, self.api = (each.getsockname()[1] for each in self.sockets)
        settings = {"http_address": "127.0.0.1", "http_port": self.public, "api_port": self.api, "hub_wait": 0}
        (folder / "proxy.json").write_text(json.dumps(settings))
        (folder / "token").write_text(TOKEN)
        self.log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.pid, self.kills = self.start(), 0

    def start(self):
        """As sd_listen_fds(3) has it: the sockets from 3 on, their names, and whom they are for."""
        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", PROXY, "run"]
        command += ["--settings", self.folder / "proxy.json", "--token-file", self.folder / "token"]
        command += ["--state-dir", self.folder / "state"]
        actions = [(os.POSIX_SPAWN_DUP2, self.log, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, each.fileno(), 3 + place) for place, each in enumerate(self.sockets)]
        environment = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:api"}
        return os.posix_spawn("/bin/sh", list(map(str, command)), environment, file_actions=actions)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        assert os.waitpid(self.pid, 0)[1] == signal.SIGKILL, "it ended by itself"
        self.kills += 1

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for each in self.sockets:
            each.close()
        os.close(self.log)


class Small(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"small")

    def log_message(self, *_):
        pass


def call(connection, method, path, body=None):
    """Status and body; None if the process died over it. A refused connection is an error."""
    try:
        connection.connect()
    except ConnectionResetError:
        # Accepted by the process that died.
        return None
    try:
        connection.request(method, path, body, {"Authorization": f"token {TOKEN}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (ConnectionResetError, BrokenPipeError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Hub(threading.Thread):
    """Adds and removes routes as fast as they are taken, and knows which there are."""

    def __init__(self, api, target, over, chance):
        super().__init__()
        self.api, self.target, self.over, self.chance = api, target, over, chance
        self.there = {}
        self.added = self.removed = self.repeated = self.compared = 0
        self.failure = None

    def ask(self, method, path, body=None):
        """Asks until there is an answer, as JupyterHub does."""
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=DEADLINE)
            if answer := call(connection, method, f"/api/routes{path}", body):
                return answer
            self.repeated += 1

    def change(self, number):
        prefix = f"/user/{self.chance.randrange(PREFIXES)}"
        repeated = self.repeated
        if prefix in self.there and self.chance.random() < 0.5:
            status, _ = self.ask("DELETE", prefix)
            assert status == 204 or (status == 404 and self.repeated > repeated), (prefix, status)
            del self.there[prefix]
            self.removed += 1
        else:
            data = {"target": self.target, "number": number}
            status, body = self.ask("POST", prefix, json.dumps(data))
            assert status == 201, (prefix, status, body)
            self.there[prefix] = data
            self.added += 1

    def compare(self):
        status, body = self.ask("GET", "")
        assert status == 200, (status, body)
        routes = {prefix: data for prefix, data in json.loads(body).items() if prefix != "/load"}
        for data in routes.values():
            data.pop("last_activity")
        assert routes == self.there
        self.compared += 1

    def run(self):
        try:
            assert self.ask("POST", "/load", json.dumps({"target": self.target}))[0] == 201
            number = 0
            while not self.over.is_set():
                self.change(number)
                number += 1
                if number % 10 == 0:
                    self.compare()
                time.sleep(0.002)
            self.compare()
        except Exception as failure:
            self.failure = failure


class Client(threading.Thread):
    """Asks for a page, each time on a connection of its own, and never without pause: others test beside this."""

    def __init__(self, public, over):
        super().__init__()
        self.public, self.over = public, over
        self.answered = self.cut = 0
        self.failure = None

    def run(self):
        try:
            while not self.over.is_set():
                connection = http.client.HTTPConnection("127.0.0.1", self.public, timeout=DEADLINE)
                answer = call(connection, "GET", "/load/x")
                assert answer in (None, (200, b"small")), answer
                self.answered += answer is not None
                self.cut += answer is None
                time.sleep(0.02)
        except Exception as failure:
            self.failure = failure


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.stop()
    print((tmp_path / "log").read_text()[-4000:])


@pytest.fixture
def target():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Small)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_two_minutes_of_crashes_under_load_lose_no_route_and_refuse_nobody(supervisor, target):
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    chance = random.Random(seed)
    over = threading.Event()
    hub = Hub(supervisor.api, target, over, random.Random(seed + 1))
    hub.start()
    clients = [Client(supervisor.public, over) for _ in range(CLIENTS)]
    while hub.is_alive() and not hub.compared:
        time.sleep(0.01)
    with ExitStack() as ended:
        for thread in (hub, *clients):
            ended.callback(thread.join)
        ended.callback(over.set)
        for client in clients:
            client.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not any(each.failure for each in (hub, *clients)):
            time.sleep(chance.uniform(*BETWEEN_KILLS))
            supervisor.kill()
            supervisor.pid = supervisor.start()
    for thread in (hub, *clients):
        if thread.failure:
            raise thread.failure
    answered, cut = sum(client.answered for client in clients), sum(client.cut for client in clients)
    print(f"{supervisor.kills} kills; routes: {hub.added} added, {hub.removed} removed, {len(hub.there)} left, asked again "
          f"{hub.repeated} times, compared {hub.compared} times; {answered} answers, {cut} cut off")
    assert supervisor.kills > SECONDS / BETWEEN_KILLS[1] / 2
    assert hub.repeated > 0 and hub.removed > 0 and answered > 100
    # Each client has one request under way.
    assert cut <= supervisor.kills * CLIENTS
