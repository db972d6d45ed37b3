"""What a service tells systemd (sd_notify(3))."""

import array
import os
import socket


def notify(message, descriptor=None):
    """Send systemd ``message``, with a descriptor if there is one; return whether this is a service."""
    where = os.environ.get("NOTIFY_SOCKET")
    if not where:
        return False
    if where.startswith("@"):
        where = "\0" + where[1:]
    rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.connect(where)
        systemd.sendmsg([message.encode()], rights)
    return True
