"""WebSocket echo, 100 connections.

Each sends a message of 512 bytes as soon as the last one came back.
"""

import os
import subprocess
from contextlib import contextmanager

from ..figures import load, print_rows
from ..peers import PROJECT, running
from . import sides
from .sides import CHP, NGINX, OURS, ROUNDS

CONNECTIONS = 100


def measure(binary, seconds):
    program = ensure_program()
    with (
        running_echo(program) as backend,
        sides.running_sides(backend, (NGINX, OURS, CHP), binary) as (proxies, figures),
    ):
        rows = sides.in_turns(proxies, lambda side: load_once(program, side, seconds))
    print_rows(("", "round trips/s", "p99 ms", "µs processor each"), [
        (name, f"{row['rate']:.0f}", f"{row['p99']:.2f}", f"{row['processor']:.1f}") for name, row in rows.items()
    ])
    print(f"\n{CONNECTIONS} connections, {ROUNDS} rounds of {seconds} s, {load()}")
    return figures + sides.beside_peers("proxy, WebSocket round trips a second", rows, "/s", {NGINX: 1.0, CHP: None})


def load_once(program, side, seconds):
    before = sides.processor(side.pid)
    command = [program, "load", f"ws://127.0.0.1:{side.port}/echo", str(CONNECTIONS), str(seconds)]
    rate, p99 = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    used = sides.processor(side.pid) - before
    return {"rate": rate, "p99": p99 / 1000, "processor": used * 1e6 / max(rate * seconds, 1)}


def ensure_program():
    """The load generator, built from the proxy's examples."""
    target = os.environ.get("CARGO_TARGET_DIR", str(PROJECT / "target"))
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "tljh-proxy", "--example", "websockets"]
    subprocess.run(command, check=True, cwd=PROJECT)
    return f"{target}/release/examples/websockets"


@contextmanager
def running_echo(program):
    """The port of the backend."""
    with running([program, "echo"], stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
