"""Small requests.

The load is wrk's, one thread and 32 kept connections. Requests a second depend on how many cores are free for proxy,
backend and load together; processor time for each request does not.
"""

import re
import subprocess

from ..figures import against_peer, load, print_rows
from . import sides
from .sides import CHP, NGINX, OURS, ROUNDS

BACKEND = 'location / { return 200 "hello, a small answer\\n"; }'
CONNECTIONS = 32


def measure(binary, seconds):
    with (
        sides.running_backend(BACKEND) as backend,
        sides.running_sides(backend, (NGINX, OURS, CHP), binary) as (proxies, figures),
    ):
        idle = {name: sides.memory(side.pid) for name, side in proxies.items()}
        rows = sides.in_turns(proxies, lambda side: load_once(side, seconds))
        loaded = {name: sides.memory(side.pid) for name, side in proxies.items()}
    ours, nginx = rows[OURS], rows[NGINX]
    head = ("", "req/s", "x nginx", "p99 ms", "µs processor/req", "x nginx", "RSS idle MB", "RSS loaded MB", "errors")
    print_rows(head, [
        (name, f"{row['rate']:.0f}", f"{row.ratio('rate', nginx):.2f}", f"{row['p99']:.2f}",
         f"{row['processor']:.1f}", f"{row.ratio('processor', nginx):.2f}",
         f"{idle[name]:.1f}", f"{loaded[name]:.1f}", f"{row['errors']:.0f}")
        for name, row in rows.items()
    ])
    print(f"\n{CONNECTIONS} connections, {ROUNDS} rounds of {seconds} s, {load()}")
    figures += sides.beside_peers("proxy, small requests a second", rows, "/s", {NGINX: 1.0, CHP: 3.5})
    figures.append(against_peer("proxy, 99th percentile of those", ours["p99"], nginx["p99"], "ms", NGINX, 1.2, digits=2,
                                ratio=ours.ratio("p99", nginx)))
    for name in (NGINX, CHP):
        if name in rows:
            used, ratio = rows[name]["processor"], ours.ratio("processor", rows[name])
            figures.append(against_peer("proxy, processor time a request", ours["processor"], used, "µs", name, ratio=ratio))
    return figures


def load_once(side, seconds, path="/user/someone/api/status"):
    """One round of load: requests a second, their 99th percentile in ms, processor time of each in µs, failures."""
    before = sides.processor(side.pid)
    url = f"http://127.0.0.1:{side.port}{path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", "--latency", "-d", f"{seconds}s", url]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = sides.processor(side.pid) - before
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
