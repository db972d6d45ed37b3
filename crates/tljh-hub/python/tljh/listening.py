"""The hub's listening socket, kept by systemd while one hub ends and the next one starts.

Whoever connects in between waits for the next hub: nobody is refused. A hub that is stopped, or ends unasked, leaves
nothing behind; its port is then closed.
"""

import os
import select
import socket

from tljh.notify import notify

#: The name under which systemd keeps it (sd_listen_fds(3), ``FDNAME=``).
NAME = "hub"
FIRST_DESCRIPTOR = 3
#: Seconds that systemd gets to take it.
DEADLINE = 5


def take(address):
    """The socket that the last hub left, if it listens at ``address``, a pair of IP address and port; else None."""
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return None
    taken = None
    for descriptor, name in zip(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count), names):
        left = socket.socket(fileno=descriptor)
        if name == NAME and taken is None and left.getsockname()[:2] == address:
            # Not for the programs that the hub runs.
            left.set_inheritable(False)
            left.setblocking(False)
            taken = left
        else:
            left.close()
    return taken


def leave(listening):
    """Have systemd keep the socket ``listening``, if this runs as a service; return once it has it."""
    if not notify(f"FDSTORE=1\nFDNAME={NAME}", listening.fileno()):
        return
    # systemd knows the sender only as long as it lives. It closes this end when it has read all before it.
    ours, its = os.pipe()
    notify("BARRIER=1", its)
    os.close(its)
    select.select([ours], [], [], DEADLINE)
    os.close(ours)
