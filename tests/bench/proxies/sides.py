"""The proxies, each in front of one backend, and what they cost.

nginx has one worker for each core, as tljh-proxy has threads; the backends have one. They take turns, round after
round, so that a busy machine hurts all alike; the median of the rounds counts.
"""

import json
import re
import subprocess
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .. import peers
from ..figures import at_least, missing
from ..peers import TOKEN, free_port, running, wait_for_port

ROUNDS = 11
OURS, NGINX, CHP = "tljh-proxy", "nginx", "CHP"
NGINX_CONF = """
daemon off; worker_processes {workers}; worker_rlimit_nofile 65536; pid {folder}/{name}.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000; sendfile on;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  {rest}
}}
"""
FORWARD = """
upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
server {{ {listen} location / {{
  proxy_pass http://backend; proxy_http_version 1.1; proxy_read_timeout 1d; proxy_buffering off;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port; }} }}
"""


@dataclass
class Side:
    """A proxy that runs: its process, its port, and the one of its API if it has routes."""

    pid: int
    port: int
    api: int | None = None


@contextmanager
def running_sides(backend, names, binary, certificate=None):
    """Those proxies of `names` that can be had, in front of the backend on that port: name -> side; and a figure that
    says why for each of the others. `certificate` is (certificate, key), and has them serve HTTPS."""
    starts = {OURS: running_ours, NGINX: running_nginx_proxy, CHP: running_chp}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        sides, lacking = {}, []
        for name in names:
            try:
                side = starts[name](Path(folder), backend, binary, certificate)
                sides[name] = stack.enter_context(side)
            except peers.Unavailable as error:
                lacking.append(missing(f"proxy beside {name}", error))
        yield sides, lacking


@contextmanager
def running_nginx(folder, name, port, rest, workers="auto"):
    config = folder / f"{name}.conf"
    config.write_text(NGINX_CONF.format(folder=folder, name=name, workers=workers, rest=rest))
    command = ["/usr/sbin/nginx", "-p", folder, "-c", config]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for_port(port)
        yield process


@contextmanager
def running_backend(location):
    """The port of an nginx with one worker that has this location block."""
    port = free_port()
    server = f"server {{ listen 127.0.0.1:{port}; {location} }}"
    with TemporaryDirectory() as folder, running_nginx(Path(folder), "backend", port, server, 1):
        yield port


@contextmanager
def running_nginx_proxy(folder, backend, _, certificate):
    port = free_port()
    listen = f"listen 127.0.0.1:{port};"
    if certificate:
        listen = f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};"
    with running_nginx(folder, "forward", port, FORWARD.format(listen=listen, backend=backend)) as process:
        yield Side(process.pid, port)


@contextmanager
def running_ours(folder, backend, binary, certificate):
    port, api = free_port(), free_port()
    settings = {"http_address": "127.0.0.1", "http_port": port, "api_port": api}
    if certificate:
        port = free_port()
        files = dict(zip(("cert_file", "key_file"), map(str, certificate)))
        settings["https"] = {"address": "127.0.0.1", "port": port, "certificate": files}
    (folder / "proxy.json").write_text(json.dumps(settings))
    (folder / "token").write_text(TOKEN)
    command = [*as_service(), binary, "run", "--settings", folder / "proxy.json"]
    command += ["--token-file", folder / "token", "--state-dir", folder / "state"]
    with running(command, stderr=subprocess.DEVNULL) as process:
        wait_for_port(api)
        side = Side(process.pid, port, api)
        add_route(side, "/", backend)
        yield side


def as_service():
    """What gives a program the scheduling that the proxy's unit asks for."""
    unit = (peers.PROJECT / "systemd/tljh-proxy.service").read_text()
    return ["chrt", f"--{re.search(r'^CPUSchedulingPolicy=(.+)$', unit, re.M)[1]}", "0"]


@contextmanager
def running_chp(_, backend, __, certificate):
    if certificate:
        raise peers.Unavailable("not measured with HTTPS")
    port = free_port()
    with peers.running_chp(port) as (process, api):
        side = Side(process.pid, port, api)
        add_route(side, "/", backend)
        yield side


def add_route(side, path, backend):
    body = json.dumps({"target": f"http://127.0.0.1:{backend}"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{side.api}/api/routes{path}", body, {"Authorization": f"token {TOKEN}"}
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


class Row(dict):
    """The medians of a side's rounds, by key."""

    def __init__(self, rounds):
        super().__init__({key: median(each[key] for each in rounds) for key in rounds[0]})
        self.rounds = rounds

    def ratio(self, key, other):
        """The median of the ratios to `other`'s, round by round: the machine's speed differs between rounds."""
        return median(mine[key] / its[key] for mine, its in zip(self.rounds, other.rounds))


def in_turns(sides, once, rounds=ROUNDS):
    """name -> the row of what `once(side)` gives as {key: value} in each round; the first round warms up."""
    measured = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            row = once(side)
            if turn:
                measured[name].append(row)
    return {name: Row(rows) for name, rows in measured.items()}


def beside_peers(name, rows, unit, least):
    """Figures of our rate in `rows` beside that of each peer that could be had, and is to be at least `least` times."""
    ours = rows[OURS]
    return [
        at_least(name, ours["rate"], rows[peer]["rate"], unit, peer, ratio, digits=0, ratio=ours.ratio("rate", rows[peer]))
        for peer, ratio in least.items() if peer in rows
    ]


def family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def processor(pid):
    """Seconds of processor time that a process and its children have used."""
    fields = [Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split() for each in family(pid)]
    # utime and stime, in ticks of a hundredth of a second (proc(5)).
    return sum(int(row[11]) + int(row[12]) for row in fields) / 100


def memory(pid):
    """Resident memory of a process and its children, in MB."""
    status = (Path(f"/proc/{each}/status").read_text() for each in family(pid))
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in status) / 1024
