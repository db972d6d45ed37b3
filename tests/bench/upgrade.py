"""`apt upgrade` to the next JupyterHub while people work: what fails of that, and how long one waits at most.

The packages are downloaded before. Everybody is outside of the machine, and shares the processors with it. A wait goes from
a request's first byte to its answer's last; that of "login" includes all requests of one. Beside it stands how long one
waits at most in the same lesson for half a minute without an upgrade.
"""

import time

from tests.machines.earlier import Earlier
from tests.machines.hub_client import HubClient
from tests.machines.install import add_repository, install, read_admin_password, wait_for_login_page
from tests.machines.machine import Machine
from tests.machines.pressure import lesson

from .figures import Figure, against_target, print_heading, print_rows

PASSWORD = "a first password"
HUB_TARGET = 5
SERVER_TARGET = 100
# Seconds of a lesson without an upgrade, about as long as one takes.
CALM = 30


def measure(suite):
    earlier = Earlier(suite)
    try:
        with Machine(suite, earlier.repository) as machine:
            return measure_upgrade(machine.boot(), earlier)
    finally:
        earlier.repository.close()


def measure_upgrade(machine, earlier):
    add_repository(machine)
    install(machine, earlier.packages)
    wait_for_login_page(machine)
    machine.run("systemctl start tljh-user-env-compile && apt-get -q -y --download-only upgrade", timeout=600)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    people = []
    for name in ("ann", "ben", "cleo"):
        teacher.add_user(name)
        people.append(HubClient(machine.url, name).login(PASSWORD))
    *at_work, arriving = people
    for person in at_work:
        person.start_server()
    calm = watch(machine, at_work, arriving, lambda: time.sleep(CALM))
    counts = watch(machine, at_work, arriving, lambda: machine.run("apt-get -q -y upgrade", timeout=900))
    print_heading(f"Upgrade from JupyterHub {earlier.hub} while people work")
    print(__doc__.partition("\n\n")[2])
    print_rows(("requests", "made", "failed", "longest, s", "without an upgrade"), [
        (kind, each.made, len(each.failed), f"{each.longest:.2f}", f"{calm[kind].longest:.2f}")
        for kind, each in sorted(counts.items())
    ])
    failures = [failure for each in counts.values() for failure in each.failed]
    for failure in failures[:10]:
        print(failure)
    made = sum(each.made for kind, each in counts.items() if kind != "websocket")
    dropped = len(counts["websocket"].failed)
    return [
        none_of("upgrade under load, requests that failed", len(failures) - dropped, f"of {made}"),
        none_of("upgrade under load, WebSockets dropped", dropped, f"{counts['websocket'].made} messages"),
        against_target("upgrade under load, longest wait for the hub", counts["hub"].longest, HUB_TARGET, "s"),
        against_target("upgrade under load, longest wait for a server", counts["server"].longest * 1000, SERVER_TARGET, "ms"),
        Figure("likewise, without an upgrade", f"{calm['server'].longest * 1000:.0f} ms", "-", "-", "-"),
    ]


def watch(machine, at_work, arriving, step):
    """The counts of a lesson during which `step` is done."""
    with lesson(machine.url, at_work, [arriving], PASSWORD) as pressure:
        pressure.wait_for("spawn", 1)
        step()
        pressure.wait_for("spawn", 1)
    return pressure.counts


def none_of(name, count, among):
    return Figure(name, f"{count} ({among})", "0", "-", "no" if count else "yes")
