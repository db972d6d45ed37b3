"""tljh-config on an ordinary file and on one with 10,000 users: `python3 -m tests.bench.config BINARY`.

Each command runs as a process of its own, as people run it; the median of the rounds counts. Processor time is beside
it, which depends less on what else the machine does. A changing command
makes a change each time, so that it writes and syncs the file. Memory is the peak that time(1) sees. Upstream's
figures were recorded on another machine, not run.
"""

import argparse
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from .figures import against_target, load, print_heading, print_rows

ROUNDS = 20
UPSTREAM_SECONDS = {"set": 1.3, "show": 0.25}
ORDINARY = """\
# The hub of the physics department
users:
  admin:
    - teacher # room 12
  allowed: [ada, bob, cem, dan]
  extra_user_groups:
    video: [ada]

limits:
  memory: 2G
  cpu: 1.5 # cores

http:
  port: 8080

auth:
  type: nativeauthenticator.NativeAuthenticator
  NativeAuthenticator:
    open_signup: false

services:
  cull:
    timeout: 3600
    every: 300
"""
COMMANDS = {
    "show": "show",
    "check": "check",
    "set": "set limits.memory {round}G",
    "add-item": "add-item users.allowed new{round}",
    "remove-item": "remove-item users.allowed new{round}",
}


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.config", description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    print_rows(("figure", "ours", "target", "ratio", "met"), measure(parser.parse_args().binary))


def measure(binary):
    """Figures of the configuration tool `binary`."""
    print_heading("tljh-config")
    names = "".join(f"    - user{number:05}\n" for number in range(10_000))
    large = f"users:\n  allowed:\n{names}limits:\n  memory: 2G\n"
    figures, rows = [], []
    for file, text, most_ms, most_mb in (("ordinary", ORDINARY, 5, 10), ("10,000 users", large, 50, None)):
        for command, (ms, cpu, mb) in measure_file(binary.resolve(), text).items():
            upstream = UPSTREAM_SECONDS.get(command) if most_mb else None
            rows.append((f"{command}, {file}", f"{ms:.1f}", f"{cpu:.1f}", f"{mb:.1f}", f"{upstream * 1000:.0f}" if upstream else "-"))
            figures.append(against_target(f"tljh-config {command}, {file}", ms, most_ms, "ms"))
            if most_mb:
                figures.append(against_target(f"tljh-config {command}, {file}, memory", mb, most_mb, "MB"))
    print_rows(("command", "ms", "processor, ms", "MB", "upstream, ms (recorded)"), rows)
    print(f"\n{load()}")
    return figures


def measure_file(binary, text):
    """Milliseconds by the clock and of the processor, and peak megabytes, of each command."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(text)
        figures = {}
        for name, words in COMMANDS.items():
            times, processor = [], []
            for number in range(1, ROUNDS + 1):
                command = [binary, "--config-path", path, "-q", *words.format(round=number).split()]
                used, began = processor_time(), time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times.append((time.perf_counter() - began) * 1000)
                processor.append((processor_time() - used) * 1000)
            command = [binary, "--config-path", path, "-q", *words.format(round=1).split()]
            peak = subprocess.run(
                ["time", "-f", "%M", *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            figures[name] = median(times), median(processor), int(peak.stderr.split()[-1]) / 1000
        return figures


def processor_time():
    """Seconds that the processes that this one has waited for took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
