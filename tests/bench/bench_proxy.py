#!/usr/bin/env python3
"""Measures tljh-proxy beside nginx and configurable-http-proxy, and prints ratios.

Usage: bench_proxy.py BINARY [--seconds N] [--connections N]

All three forward to one backend (nginx, one worker), in one run, one after another, under the same load by wrk.
nginx and wrk come from Debian. configurable-http-proxy is measured if it is there:
npm install --prefix ${TLJH_CACHE:-/var/cache/tljh}/chp configurable-http-proxy
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

TOKEN = "bench"
CACHE = Path(os.environ.get("TLJH_CACHE", "/var/cache/tljh"))
CHP = CACHE / "chp/node_modules/.bin/configurable-http-proxy"

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
  proxy_set_header X-Forwarded-Proto $scheme; proxy_buffering off; }} }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    for program in ("wrk", "nginx"):
        if not shutil.which(program, path="/usr/bin:/usr/sbin"):
            parser.error(f"{program} is not installed: run `apt install {program}`")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_all(options, Path(folder))
    print_table(rows, options)


def measure_all(options, folder):
    backend = free_port()
    started = [start_nginx(folder, "backend", backend, BACKEND.format(port=backend))]
    rows = []
    try:
        wait_for(backend)
        for name, start in (("nginx", start_peer), ("tljh-proxy", start_ours), ("CHP", start_chp)):
            if name == "CHP" and not CHP.exists():
                continue
            port = free_port()
            process = start(folder, port, backend, options)
            started.append(process)
            wait_for(port)
            rows.append(measure(name, process.pid, port, options))
            process.terminate()
            process.wait()
    finally:
        # Killed outright, nginx would leave its worker behind.
        for process in started:
            process.terminate()
            process.wait()
    return rows


def start_nginx(folder, name, port, rest):
    config = folder / f"{name}.conf"
    config.write_text(NGINX.format(folder=folder, name=name, rest=rest))
    command = ["/usr/sbin/nginx", "-p", folder, "-c", config]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_peer(folder, port, backend, options):
    return start_nginx(folder, "forward", port, FORWARD.format(port=port, backend=backend))


def start_ours(folder, port, backend, options):
    api = free_port()
    settings = {"http_address": "127.0.0.1", "http_port": port, "api_port": api}
    (folder / "proxy.json").write_text(json.dumps(settings))
    (folder / "token").write_text(TOKEN)
    command = [options.binary, "run", "--settings", folder / "proxy.json"]
    command += ["--token-file", folder / "token", "--state-dir", folder / "state"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(api)
    add_route(api, backend)
    return process


def start_chp(folder, port, backend, options):
    api = free_port()
    command = ["node", CHP, "--ip", "127.0.0.1", "--port", str(port), "--api-port", str(api)]
    command += ["--log-level", "error"]
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    wait_for(api)
    add_route(api, backend)
    return process


def add_route(api, backend):
    body = json.dumps({"target": f"http://127.0.0.1:{backend}"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{api}/api/routes/", body, {"Authorization": f"token {TOKEN}"}
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def measure(name, pid, port, options):
    idle = memory(pid)
    command = ["wrk", "-t1", f"-c{options.connections}", "--latency", "-d"]
    url = f"http://127.0.0.1:{port}/user/someone/api/status"
    subprocess.run([*command, "1s", url], check=True, stdout=subprocess.DEVNULL)
    loaded = subprocess.run(
        [*command, f"{options.seconds}s", url], check=True, capture_output=True, text=True
    ).stdout
    errors = re.search(r"Non-2xx.*: (\d+)", loaded)
    return {
        "name": name,
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", loaded).group(1)),
        "p99": milliseconds(re.search(r"99%\s+(\S+)", loaded).group(1)),
        "idle": idle,
        "loaded": memory(pid),
        "errors": int(errors.group(1)) if errors else 0,
    }


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def memory(pid):
    """Resident memory of a process and its children, in MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
    return own + sum(memory(int(child)) for child in children)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def print_table(rows, options):
    peer = rows[0]
    print(f"small GETs, keep-alive, {options.connections} connections, {options.seconds} s each")
    print(f"{'':<12}{'req/s':>9}{'x nginx':>9}{'p99 ms':>9}{'x nginx':>9}{'idle MB':>9}{'loaded MB':>11}{'errors':>8}")
    for row in rows:
        print(
            f"{row['name']:<12}{row['rate']:>9.0f}{row['rate'] / peer['rate']:>9.2f}"
            f"{row['p99']:>9.2f}{row['p99'] / peer['p99']:>9.2f}"
            f"{row['idle']:>9.1f}{row['loaded']:>11.1f}{row['errors']:>8}"
        )
    by_name = {row["name"]: row for row in rows}
    if "CHP" in by_name:
        print(f"tljh-proxy / CHP: {by_name['tljh-proxy']['rate'] / by_name['CHP']['rate']:.2f}")


if __name__ == "__main__":
    main()
