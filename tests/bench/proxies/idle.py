"""Memory, idle and with 2,000 idle WebSockets."""

import subprocess
from contextlib import contextmanager

from ..figures import against_target, print_rows
from ..peers import running
from . import sides
from .sides import CHP, NGINX, OURS
from .websockets import ensure_program, running_echo

SOCKETS = 2000
IDLE, OPEN = "idle", f"{SOCKETS} WebSockets"
TARGETS = {IDLE: 20, OPEN: 60}


def measure(binary, _):
    program = ensure_program()
    with (
        running_echo(program) as backend,
        sides.running_sides(backend, (NGINX, OURS, CHP), binary) as (proxies, figures),
    ):
        rows = {name: {IDLE: sides.memory(side.pid)} for name, side in proxies.items()}
        for name, side in proxies.items():
            with open_sockets(program, side):
                rows[name][OPEN] = sides.memory(side.pid)
    print_rows(("MB, RSS", IDLE, OPEN), [(name, *(f"{row[key]:.1f}" for key in TARGETS)) for name, row in rows.items()])
    ours = rows[OURS]
    figures += [against_target(f"memory of the proxy, {key} (RSS)", ours[key], most, "MB") for key, most in TARGETS.items()]
    return figures


@contextmanager
def open_sockets(program, side):
    command = [program, "hold", f"ws://127.0.0.1:{side.port}/echo", str(SOCKETS)]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline().strip() != "open":
            raise RuntimeError("the WebSockets could not be opened")
        yield
