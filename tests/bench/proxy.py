"""tljh-proxy beside nginx and configurable-http-proxy, under small requests: `python3 -m tests.bench.proxy BINARY`.

All forward to one backend (nginx, one worker) under the same load (wrk, one thread, kept connections). They take turns,
round after round, so that a busy machine hurts all alike; the median of the rounds counts. Requests a second depend
on how many cores are free for proxy, backend and load together; processor time for each request does not.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from . import peers
from .figures import against_peer, load, missing, print_heading, print_rows
from .peers import TOKEN, free_port, running, wait_for_port

NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000;
  {rest}
}}
"""
BACKEND = 'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello, a small answer\\n"; }} }}'
FORWARD = """
upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port}; location / {{
  proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port; proxy_buffering off; }} }}
"""
ROUNDS = 5
CONNECTIONS = 32


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.proxy", description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--seconds", type=int, default=2, help="of each round")
    options = parser.parse_args()
    for program in ("wrk", "nginx"):
        if not shutil.which(program, path="/usr/bin:/usr/sbin"):
            parser.error(f"{program} is not installed: run `apt install {program}`")
    print_rows(("figure", "ours", "peer", "ratio", "met"), measure(options.binary, options.seconds))


def measure(binary, seconds=2):
    """Figures of the proxy program `binary`."""
    print_heading("Proxy, small requests")
    print(__doc__.partition("\n\n")[2])
    rows, figures = measure_rounds(binary, seconds)
    ours, nginx = rows["tljh-proxy"], rows["nginx"]
    head = ("", "req/s", "x nginx", "p99 ms", "µs processor/req", "x nginx", "RSS idle MB", "RSS loaded MB", "errors")
    print_rows(head, [
        (name, f"{row['rate']:.0f}", f"{row['rate'] / nginx['rate']:.2f}", f"{row['p99']:.2f}",
         f"{row['processor']:.1f}", f"{row['processor'] / nginx['processor']:.2f}",
         f"{row['idle']:.1f}", f"{row['loaded']:.1f}", row["errors"])
        for name, row in rows.items()
    ])
    print(f"\n{CONNECTIONS} connections, {ROUNDS} rounds of {seconds} s, {load()}")
    for name, peer in rows.items():
        if name != "tljh-proxy":
            figures.append(against_peer("proxy, requests a second", ours["rate"], peer["rate"], "/s", name, digits=0))
            figures.append(
                against_peer("proxy, processor a request", ours["processor"], peer["processor"], "µs", name)
            )
    return figures


def measure_rounds(binary, seconds):
    """The medians of each proxy, nginx first, and figures for those that cannot be had."""
    figures = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        backend = free_port()
        stack.enter_context(running_nginx(folder, "backend", backend, BACKEND.format(port=backend)))
        proxies = {}
        starts = {"nginx": running_peer, "tljh-proxy": running_ours, "CHP": running_chp}
        for name, start in starts.items():
            port = free_port()
            try:
                process = stack.enter_context(start(folder, port, backend, binary))
                proxies[name] = (process.pid, port, memory(process.pid))
            except peers.Unavailable as error:
                figures.append(missing(f"proxy beside {name}", error))
        rounds = {name: [] for name in proxies}
        for turn in range(ROUNDS + 1):
            for name, (pid, port, _) in proxies.items():
                measured = measure_once(pid, port, seconds)
                # The first round is for warming up.
                if turn:
                    rounds[name].append(measured)
        rows = {
            name: {
                "idle": proxies[name][2],
                "loaded": memory(proxies[name][0]),
                "errors": sum(row["errors"] for row in rows),
                **{key: median(row[key] for row in rows) for key in ("rate", "p99", "processor")},
            }
            for name, rows in rounds.items()
        }
    return rows, figures


@contextmanager
def running_nginx(folder, name, port, rest):
    config = folder / f"{name}.conf"
    config.write_text(NGINX.format(folder=folder, name=name, rest=rest))
    command = ["/usr/sbin/nginx", "-p", folder, "-c", config]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for_port(port)
        yield process


def running_peer(folder, port, backend, _):
    return running_nginx(folder, "forward", port, FORWARD.format(port=port, backend=backend))


@contextmanager
def running_ours(folder, port, backend, binary):
    api = free_port()
    settings = {"http_address": "127.0.0.1", "http_port": port, "api_port": api}
    (folder / "proxy.json").write_text(json.dumps(settings))
    (folder / "token").write_text(TOKEN)
    command = [binary, "run", "--settings", folder / "proxy.json"]
    command += ["--token-file", folder / "token", "--state-dir", folder / "state"]
    with running(command, stderr=subprocess.DEVNULL) as process:
        wait_for_port(api)
        add_route(api, backend)
        yield process


@contextmanager
def running_chp(folder, port, backend, _):
    with peers.running_chp(port) as (process, api):
        add_route(api, backend)
        yield process


def add_route(api, backend):
    body = json.dumps({"target": f"http://127.0.0.1:{backend}"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{api}/api/routes/", body, {"Authorization": f"token {TOKEN}"}
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def measure_once(pid, port, seconds):
    before = processor(pid)
    url = f"http://127.0.0.1:{port}/user/someone/api/status"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", "--latency", "-d", f"{seconds}s", url]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = processor(pid) - before
    # A proxy that fails is fast; what is not 2xx or 3xx is no request served.
    errors = re.search(r"Non-2xx.*: (\d+)", loaded)
    requests = int(re.search(r"(\d+) requests in", loaded)[1])
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", loaded)[1]),
        "p99": milliseconds(re.search(r"^ +99% +(\S+)", loaded, re.M)[1]),
        "processor": used * 1e6 / max(requests, 1),
        "errors": int(errors[1]) if errors else 0,
    }


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


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


if __name__ == "__main__":
    sys.exit(main())
