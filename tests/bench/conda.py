"""Packages of conda, solved and linked by the program of the package: 200 of a channel of 5,000, over HTTP.

First with nothing in the cache, then with all in it, each into a new prefix on the disk of the cache. There is no peer:
neither conda nor mamba can be had from Debian or from PyPI.
"""

import subprocess
import tempfile
from pathlib import Path
from statistics import median

from tests.conda.channel import large_channel
from tests.conda.engine import Engine, versions
from tests.conda.server import Server
from tests.machines.places import CACHE

from .figures import Figure, print_heading, print_rows

RUNS = 3
PHASES = ("repodata", "solve", "fetch", "link")


def measure(program):
    print_heading("200 packages of a conda channel of 5,000, seconds")
    server = Server(large_channel())
    try:
        runs = [both(program, server.url) for _ in range(RUNS)]
    finally:
        server.close()
    rows, figures = [], []
    for at, name in enumerate(("nothing in the cache", "all in the cache")):
        seconds = [median(run[at][phase] for run in runs) for phase in PHASES]
        rows.append((name, *(f"{one:.2f}" for one in seconds), f"{sum(seconds):.2f}"))
        told = ", ".join(f"{phase} {one:.2f}" for phase, one in zip(PHASES, seconds))
        figures.append(Figure(f"conda, 200 of 5,000, {name}", f"{sum(seconds):.2f} s", told, "-", "-"))
    print_rows(("median of 3", *PHASES, "all"), rows)
    return figures


def both(program, url):
    """Seconds by phase of two runs, of which the second finds all in the cache."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        engine = Engine(Path(folder), [url], program)
        found = []
        for name in ("cold", "warm"):
            subprocess.run(["sync", "-f", folder], check=True)
            solved, linked = engine.make(Path(folder) / name, "p0")
            if len(versions(Path(folder) / name)) != 200:
                raise RuntimeError(f"{len(solved['packages'])} packages were chosen, not 200")
            found.append({**solved["seconds"], **linked["seconds"]})
        return found
