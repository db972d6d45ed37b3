"""`make run` and `make stop`: a throw-away machine with tljh, to look at in a browser.

    python3 -m tests.machines.run start     SUITE (bookworm) and PORT (8080) from the environment
    python3 -m tests.machines.run stop      ends every machine that `start` began

`start` returns when the login page is served; a process in the background keeps the machine.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

from .places import STATE, wait_for
from .slots import process_mark, read_live_pid

READY = "ready"


def start():
    """Begin a keeper and show what it says until the machine is ready; the exit status."""
    port = os.environ.get("PORT", "8080")
    state = STATE / f"run-{port}"
    if read_live_pid(state):
        print(f"error: a machine already runs at port {port}", file=sys.stderr)
        print("hint: make stop", file=sys.stderr)
        return 1
    STATE.mkdir(parents=True, exist_ok=True)
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.machines.run", "keep", port],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )
    for line in keeper.stdout:
        if line.strip() == READY:
            return 0
        print(line, end="", flush=True)
    return keeper.wait() or 1


def stop():
    """End every keeper, and with it its machine."""
    found = 0
    for state in STATE.glob("run-*"):
        pid = read_live_pid(state)
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: process_mark(pid) is None, 60, f"end of process {pid}")
            found += 1
        state.unlink(missing_ok=True)
    print(f"stopped {found} machine{'' if found == 1 else 's'}")
    return 0


def keep(port):
    """Boot, install, forward, print how to log in, and stay until a signal comes."""
    from .install import add_repository, install, read_admin_password, wait_for_login_page
    from .machine import Machine
    from .repository import Repository

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    (STATE / f"run-{port}").write_text(process_mark(os.getpid()))
    listener = socket.create_server(("127.0.0.1", int(port)))
    suite = os.environ.get("SUITE", "bookworm")
    repository = Repository()
    say(f"booting Debian {suite}")
    with Machine(suite, repository) as machine:
        machine.boot()
        say(f"apt-get install tljh, from {repository.url}")
        add_repository(machine)
        began = time.monotonic()
        install(machine)
        wait_for_login_page(machine)
        say(f"login page served {time.monotonic() - began:.0f} s after `apt-get install tljh`")
        say(f"\n  URL:       http://localhost:{port}/")
        say("  user:      admin")
        say(f"  password:  {read_admin_password(machine)}")
        say("\nmake stop ends it")
        say(READY)
        # The reader has gone; what happens later has nobody to be told.
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.dup2(nobody, sys.stderr.fileno())
        while True:
            client, _ = listener.accept()
            threading.Thread(target=forward, args=(client, machine.address), daemon=True).start()


def say(line):
    print(line, flush=True)


def forward(client, address):
    """Copy both ways between `client` and port 80 of the machine until both have ended."""
    try:
        server = socket.create_connection((address, 80), timeout=10)
        server.settimeout(None)
    except OSError:
        client.close()
        return
    with client, server:
        back = threading.Thread(target=copy, args=(server, client), daemon=True)
        back.start()
        copy(client, server)
        back.join()


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has gone


if __name__ == "__main__":
    verb, *rest = sys.argv[1:] or [""]
    if verb not in ("start", "stop", "keep"):
        sys.exit(__doc__)
    sys.exit({"start": start, "stop": stop, "keep": keep}[verb](*rest))
