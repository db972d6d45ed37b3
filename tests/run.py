#!/usr/bin/python3
"""Runs every test, from unit to browser, and ends with counted totals.

    tests/run.py [GROUP...]      all groups by default, but for those on request; `tests/run.py --list` names them

`SUITES` chooses the Debian releases of the tests on machines; what is the same on each of them is tested on one, with
`EVERY=1` on all. The groups of one stage run side by side;
what each printed comes when it ends.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = os.environ.get("SUITES", "bookworm trixie").split()
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.environ.get("TLJH_CACHE", "/var/cache/tljh") + "/target"
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"]
USER_ENV = f"{TARGET}/packages/release/tljh-user-env"
CONDA = f"{TARGET}/packages/release/tljh-conda"
WORKERS = ["--numprocesses=2", "--dist=loadfile"]
PROXY = f"{TARGET}/packages/release/tljh-proxy"
# JupyterLab runs the machine's Node.js whenever a server starts, if there is one; no test means that, and servers are many.
WITHOUT_NODE = [
    "unshare", "--mount", "--propagation=private", "sh", "-c",
    'for it in /usr/bin/node /usr/bin/npm; do [ ! -e $it ] || mount --bind /dev/null $it; done; exec "$@"', "sh",
]

# What cargo and pytest print at the end of a run.
COUNTS = re.compile(r"(\d+) (passed|failed|skipped|ignored|errors?)\b")
CARGO = re.compile(r"^test result: .*$", re.MULTILINE)
PYTEST_END = re.compile(r"^(?:=+ )?((?:\d+ \w+(?:, )?)+ in [\d.]+s.*)$", re.MULTILINE)


def pytest(folder, *options, **environment):
    return [*PYTEST, *options, f"tests/{folder}"], environment


def within(before, group):
    command, environment = group
    return [*before, *command], environment


def stages():
    """Groups by stage: name -> (command, environment)."""
    yield {"rust": (["cargo", "test", "--quiet", "--locked", "--workspace", "--no-fail-fast"], {})}
    # The longest first.
    yield {
        "user-environment": within(WITHOUT_NODE, pytest("user_env", *WORKERS, TLJH_USER_ENV=USER_ENV, TLJH_CONDA=CONDA)),
        "conda": pytest("conda", *WORKERS, TLJH_CONDA=CONDA),
        # One of its files takes two minutes, nearly all of them spent waiting.
        "proxy": pytest("proxy", *WORKERS, "--ignore=tests/proxy/test_jupyterhubs_own.py", TLJH_PROXY=PROXY),
        "repository": pytest("repo"),
        "package": pytest("package"),
        "lifecycle": pytest("lifecycle"),
        "machines": pytest("machines"),
        # The same requests to nginx, which `make check` can do without.
        "nginx": (["cargo", "test", "--quiet", "--locked", "--package", "tljh-proxy", "--test", "promises", "nginx::",
                   "--", "--ignored"], {}),
    }
    # Machines wait more than they compute: two files of tests at a time for each release.
    yield {"system": pytest("system", f"--numprocesses={2 * len(SUITES)}", "--dist=loadgroup")}


def on_request():
    """Groups that run only when they are named: a busy machine breaks time-outs in JupyterHub's own tests, and in what
    emulated machines do; and building everything a second time takes as long as the first."""
    yield {"jupyterhub": pytest("proxy/test_jupyterhubs_own.py", TLJH_PROXY=PROXY)}
    yield {"vm": pytest("vm", *WORKERS)}
    # Every fault of which the group `system` tries some.
    yield {"faults": pytest("system/test_faults.py", FAULTS="every")}
    yield {"piuparts": pytest("piuparts", *WORKERS)}
    yield {"reproducible": pytest("reproducible")}


def count(output):
    """(passed, failed, skipped) as the runners' closing lines say."""
    totals = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for line in CARGO.findall(output) + PYTEST_END.findall(output):
        for number, what in COUNTS.findall(line):
            what = {"ignored": "skipped", "error": "failed", "errors": "failed"}.get(what, what)
            totals[what] += int(number)
    return totals


def run(name, command, environment):
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    totals = count(done.stdout)
    if done.returncode and not totals["failed"]:
        totals["failed"] = 1
    seconds = time.monotonic() - began
    print(f"--- {name}: {' '.join(command)}\n{done.stdout.rstrip()}\n", flush=True)
    return name, totals, seconds


def main(wanted):
    all_stages = [*stages(), *on_request()]
    every = [name for stage in all_stages for name in stage]
    if wanted == ["--list"]:
        print(*every, sep="\n")
        return 0
    unknown = set(wanted) - set(every)
    if unknown:
        print(f"error: no such group of tests: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rows = []
    for stage in all_stages if wanted else stages():
        groups = {name: how for name, how in stage.items() if not wanted or name in wanted}
        if not groups:
            continue
        print(f"running {', '.join(groups)}", flush=True)
        with ThreadPoolExecutor(max_workers=2) as pool:
            rows += pool.map(lambda item: run(item[0], *item[1]), groups.items())
    for name, totals, seconds in rows:
        print(f"{name:<18}{totals['passed']:>5} passed{totals['failed']:>4} failed"
              f"{totals['skipped']:>4} skipped{seconds:>7.0f} s")
    total = {what: sum(row[1][what] for row in rows) for what in ("passed", "failed", "skipped")}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
