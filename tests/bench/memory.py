"""Resident memory of the services when nobody is logged in, after some logins.

RSS counts shared pages in full, PSS by each process's part in them. The hub runs the idle culler as a
process of its own, which is shown apart and counts.
"""

import re
import subprocess

from tests.machines.places import wait_for

from . import peers
from .figures import against_peer, against_target, missing, print_heading, print_rows

TARGET = 170
ROLLUP = "cat /proc/{pid}/smaps_rollup"


def measure(machine):
    print_heading("Resident memory, idle")
    hub, proxy = (int(machine.output(f"systemctl show -P MainPID {unit}")) for unit in ("jupyterhub", "tljh-proxy"))
    culler = wait_for(lambda: children(machine, hub), 30, "the hub's culler")
    rows = {"hub": rollup(machine, [hub]), "idle culler": rollup(machine, culler), "tljh-proxy": rollup(machine, [proxy])}
    services = ("hub", "idle culler", "tljh-proxy")
    pss = sum(rows[name][1] for name in services)
    pair = rows["hub"][1] + rows["tljh-proxy"][1]
    figures = [
        against_target("memory of hub and proxy, idle (PSS)", pair, TARGET, "MB"),
        against_target("memory with the idle culler (PSS)", pss, TARGET, "MB"),
    ]
    try:
        rows["peer: configurable-http-proxy"] = measure_chp()
        peer = rows["peer: configurable-http-proxy"][1]
        figures.append(against_peer("memory of the proxy, idle (PSS)", rows["tljh-proxy"][1], peer, "MB", "CHP"))
    except peers.Unavailable as error:
        figures.append(missing("memory of the proxy, idle", error))
    print_rows(("MB", "RSS", "PSS"), [(name, f"{rss:.1f}", f"{part:.1f}") for name, (rss, part) in rows.items()])
    return figures


def children(machine, pid):
    return machine.output(f"cat /proc/{pid}/task/{pid}/children").split()


def rollup(machine, pids):
    """(RSS, PSS) in MB of some processes of the machine together."""
    return add(machine.output(ROLLUP.format(pid=pid)) for pid in pids)


def add(texts):
    found = [[int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) / 1024 for key in ("Rss", "Pss")] for text in texts]
    return tuple(map(sum, zip(*found)))


def measure_chp():
    with peers.running_chp(peers.free_port()) as (process, _):
        text = subprocess.run(
            ROLLUP.format(pid=process.pid).split(), capture_output=True, text=True, check=True
        ).stdout
    return add([text])
