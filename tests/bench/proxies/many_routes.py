"""5,000 routes instead of one, under small requests.

Each route is on the disk before the next one is told. How long that takes is up to the disk, so that as many lines are
written to a file beside it, each durable before the next.
"""

import http.client
import json
import os
import tempfile
import time

from ..figures import against_peer, at_least, load, print_rows
from ..peers import TOKEN
from . import sides
from .sides import OURS, ROUNDS
from .small_requests import BACKEND, load_once

ROUTES = 5000


def measure(binary, seconds):
    with (
        sides.running_backend(BACKEND) as backend,
        sides.running_sides(backend, (OURS,), binary) as (one, _),
        sides.running_sides(backend, (OURS,), binary) as (many, _),
    ):
        proxies = {"one route": one[OURS], f"{ROUTES} routes": many[OURS]}
        took = add_routes(many[OURS], backend)
        path = f"/user/someone-{ROUTES // 2}/api/status"
        rows = sides.in_turns(proxies, lambda side: load_once(side, seconds, path))
    print_rows(("", "req/s", "p99 ms", "µs processor/req"), [
        (name, f"{row['rate']:.0f}", f"{row['p99']:.2f}", f"{row['processor']:.1f}") for name, row in rows.items()
    ])
    print(f"\n{ROUNDS} rounds of {seconds} s, {load()}")
    one, many = rows.values()
    return [
        at_least(f"proxy, requests a second with {ROUTES} routes", many["rate"], one["rate"], "/s", "one route", 0.95,
                 digits=0, ratio=many.ratio("rate", one)),
        against_peer(f"proxy, {ROUTES} routes added one by one", took, append_lines(), "s", "bare lines in a file"),
    ]


def add_routes(side, backend):
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", side.api, timeout=30)
    body = json.dumps({"target": f"http://127.0.0.1:{backend}"})
    for number in range(ROUTES - 1):
        connection.request("POST", f"/api/routes/user/someone-{number}", body, {"Authorization": f"token {TOKEN}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"route {number} was not added: {answer.status}")
    return time.monotonic() - began


def append_lines():
    """Seconds for as many lines as there are routes, about as long."""
    line = b"x" * 120
    with tempfile.TemporaryFile(buffering=0) as file:
        began = time.monotonic()
        for _ in range(ROUTES):
            file.write(line)
            os.fdatasync(file.fileno())
        return time.monotonic() - began
