"""TLS handshakes.

openssl opens connections one after the other, four at a time, and resumes no session. The certificate is of ECDSA P-256,
as Let's Encrypt's are by default.
"""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from ..figures import load, print_rows
from . import sides
from .sides import NGINX, OURS
from .small_requests import BACKEND

ROUNDS = 3
CLIENTS = 4


def measure(binary, seconds):
    with tempfile.TemporaryDirectory() as name:
        certificate, key = Path(name) / "certificate.pem", Path(name) / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost"]
        subprocess.run(command, check=True, capture_output=True)
        with (
            sides.running_backend(BACKEND) as backend,
            sides.running_sides(backend, (NGINX, OURS), binary, (certificate, key)) as (proxies, figures),
        ):
            rows = sides.in_turns(proxies, lambda side: connect(side, seconds), ROUNDS)
    print_rows(("", "handshakes/s", "µs processor each"), [
        (name, f"{row['rate']:.0f}", f"{row['processor']:.0f}") for name, row in rows.items()
    ])
    print(f"\n{CLIENTS} clients, {ROUNDS} rounds of {seconds} s, {load()}")
    return figures + sides.beside_peers("proxy, TLS handshakes a second", rows, "/s", {NGINX: 0.9})


def connect(side, seconds):
    before, began = sides.processor(side.pid), time.monotonic()
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{side.port}", "-new", "-time", str(seconds)]
    clients = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(CLIENTS)
    ]
    made = 0
    for client in clients:
        said, _ = client.communicate()
        if client.returncode != 0:
            raise RuntimeError(said)
        made += int(re.search(r"(\d+) connections in \d+ real seconds", said)[1])
    return {"rate": made / (time.monotonic() - began), "processor": (sides.processor(side.pid) - before) * 1e6 / max(made, 1)}
