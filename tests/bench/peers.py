"""The peers of the proxy: nginx, from Debian, and configurable-http-proxy, from npm."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("TLJH_CACHE", "/var/cache/tljh"))
CHP = CACHE / "chp/node_modules/.bin/configurable-http-proxy"
TOKEN = "bench"
PROJECT = Path(__file__).resolve().parents[2]


class Unavailable(Exception):
    """A peer cannot be had here; the message says why."""


def ensure_chp():
    """Path of configurable-http-proxy, fetched once into the cache."""
    if CHP.exists():
        return CHP
    if not shutil.which("npm"):
        needs = Path(__file__).with_name("npm-apt-packages.txt")
        run([PROJECT / "packaging/need.sh", needs])
    run(["npm", "install", "--silent", "--prefix", CACHE / "chp", "configurable-http-proxy"])
    return CHP


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"no configurable-http-proxy: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"no configurable-http-proxy: {' '.join((done.stderr or done.stdout).split())[-200:]}")


@contextmanager
def running_chp(port):
    """A configurable-http-proxy on `port`, and the port of its API."""
    api = free_port()
    command = ["node", ensure_chp(), "--ip", "127.0.0.1", "--port", str(port), "--api-port", str(api)]
    command += ["--log-level", "error"]
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}
    with running(command, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_for_port(port)
        wait_for_port(api)
        yield process, api


@contextmanager
def running(command, **options):
    """A process that is ended, and waited for, with the block. Killed outright, nginx would leave its worker behind."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(port, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
