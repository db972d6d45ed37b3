"""A download of 1 GB."""

import subprocess
import tempfile
from pathlib import Path

from ..figures import load, print_rows
from . import sides
from .sides import CHP, NGINX, OURS

ROUNDS = 3
BYTES = 1_000_000_000


def measure(binary, _):
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        # Without blocks on the disk, so that no disk is measured.
        with open(Path(name) / "data", "wb") as file:
            file.truncate(BYTES)
        with (
            sides.running_backend(f"root {name}; location / {{ }}") as backend,
            sides.running_sides(backend, (NGINX, OURS, CHP), binary) as (proxies, figures),
        ):
            rows = sides.in_turns(proxies, fetch, ROUNDS)
    print_rows(("", "MB/s", "s of processor"), [
        (name, f"{row['rate']:.0f}", f"{row['processor']:.2f}") for name, row in rows.items()
    ])
    print(f"\nMedians of {ROUNDS}, by curl, {load()}")
    return figures + sides.beside_peers("proxy, download of 1 GB", rows, "MB/s", {NGINX: 0.9, CHP: None})


def fetch(side):
    before = sides.processor(side.pid)
    command = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--output", "/dev/null"]
    command += ["--write-out", "%{size_download} %{time_total}", f"http://127.0.0.1:{side.port}/data"]
    size, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if int(size) != BYTES:
        raise RuntimeError(f"{size} bytes came")
    return {"rate": BYTES / 1e6 / float(seconds), "processor": sides.processor(side.pid) - before}
