"""Prints all figures, with a summary at the end: `python3 -m tests.bench`, as `make bench` does."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.machines.places import DIST
from tests.machines.repository import Repository

from . import conda, config, environment, installation, lifecycle, memory, proxies, sessions, sizes, upgrade, user_env
from .figures import load, missing, print_heading, print_rows

RUNS = 3


def main():
    suite = (os.environ.get("SUITES") or os.environ.get("SUITE") or "bookworm").split()[0]
    if not (DIST / "apt" / "tljh.sources").exists():
        sys.exit("error: there is no dist/apt\nhint: run `make repo`")
    began = time.monotonic()
    print(f"# Figures, {time.strftime('%Y-%m-%d %H:%M')}, Debian {suite}, {load()}")
    figures = []
    repository = Repository()
    try:
        figures += measure_machine(suite, repository)
        figures += attempt("sizes", sizes.measure, suite, repository)
        figures += attempt("package's life", lifecycle.measure, suite, repository)
    finally:
        repository.close()
    figures += attempt("upgrade", upgrade.measure, suite)
    figures += attempt("proxy", measure_program, suite, proxies, "tljh-proxy")
    figures += attempt("configuration tool", measure_program, suite, config, "tljh-config")
    figures += attempt("user environment", measure_program, suite, user_env, "tljh-user-env")
    figures += attempt("conda", measure_program, suite, conda, "tljh-user-env", "usr/lib/tljh-user-env/tljh-conda")
    print_heading("Summary")
    print_rows(("figure", "ours", "peer or target", "ratio", "met"), figures)
    print(f"\n{time.monotonic() - began:.0f} s, {load()}")


def measure_machine(suite, repository):
    """What is measured on one machine, from its installation on."""
    try:
        machine, figures = installation.measure(suite, repository, RUNS)
    except Exception as error:
        return failed("installation", error)
    with machine:
        figures += attempt("login", sessions.measure, machine)
        figures += attempt("memory", memory.measure, machine)
        figures += attempt("user environment", environment.measure, machine)
    return figures


def measure_program(suite, figures, name, path=None):
    """The figures of a program, of the one that is in the package `name`."""
    packages = sorted((DIST / "debs" / suite).glob(f"{name}_*.deb"), key=os.path.getmtime)
    if not packages:
        raise FileNotFoundError(f"no {name} package in {DIST / 'debs' / suite}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", packages[-1], folder], check=True)
        return figures.measure(Path(folder) / (path or f"usr/bin/{name}"))


def attempt(name, step, *arguments):
    """The figures of `step`; one figure that says why if it fails, so that the others are still printed."""
    try:
        return step(*arguments)
    except Exception as error:
        return failed(name, error)


def failed(name, error):
    print(f"{name}: {error}", file=sys.stderr)
    return [missing(name, error)]


if __name__ == "__main__":
    main()
