"""One network namespace a machine, with a way to the host and, unless offline, beyond.

Machine N is 10.97.N.2 and sees the host as 10.97.N.1.  Servers for the machines have
addresses of their own, 10.97.255.x, so that an offline machine is given a route to
these alone.  Browser N is 10.98.N.2; a machine takes it for the host.
"""

import ctypes
import errno
import os
import subprocess
import threading
from pathlib import Path

SERVERS = "10.97.255"

RULES = """
add table ip tljh_machines
add chain ip tljh_machines out { type nat hook postrouting priority 100; }
flush chain ip tljh_machines out
add rule ip tljh_machines out ip saddr 10.97.0.0/16 ip daddr != 10.97.0.0/16 masquerade
add rule ip tljh_machines out ip saddr 10.98.0.0/16 masquerade
"""


def ip(*arguments, check=True):
    return subprocess.run(
        ["ip", *arguments], check=check, capture_output=True, text=True
    )


def ensure_host():
    """Forwarding and the masquerade rule; safe to repeat."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)


def bind_server(make):
    """Call `make(address)` with servers' addresses until one is free, and return its result."""
    ensure_host()
    for number in range(1, 251):
        address = f"{SERVERS}.{number}"
        ip("addr", "add", f"{address}/32", "dev", "lo", check=False)
        try:
            return make(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise RuntimeError("every server address is in use")


class Wire:
    """The namespace and the veth pair of the machine with number `index` (1 to 250)."""

    net = "10.97"
    link_local = "eui64"

    def __init__(self, index, offline=False):
        self.index = index
        self.offline = offline
        self.namespace = f"tljh-{index}"
        self.link = f"tljh{index}"
        self.host = f"{self.net}.{index}.1"
        self.address = f"{self.net}.{index}.2"

    @property
    def path(self):
        return f"/run/netns/{self.namespace}"

    def up(self):
        ensure_host()
        self.down()
        ip("netns", "add", self.namespace)
        ip("link", "add", self.link, "type", "veth",
           "peer", "name", "host0", "netns", self.namespace)
        ip("addr", "add", f"{self.host}/30", "dev", self.link)
        ip("link", "set", self.link, "up")
        inside = ("-n", self.namespace)
        ip(*inside, "link", "set", "lo", "up")
        ip(*inside, "addr", "add", f"{self.address}/30", "dev", "host0")
        ip(*inside, "link", "set", "host0", "addrgenmode", self.link_local, "up")
        target = f"{SERVERS}.0/24" if self.offline else "default"
        ip(*inside, "route", "add", target, "via", self.host)

    def call(self, function):
        """`function()`, called in this namespace: a socket that it opens stays there."""
        results = []

        def work():
            with open(self.path) as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), self.path)
            results.append(function())

        # Its own thread, because a thread that entered cannot be trusted to be outside again.
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if not results:
            raise OSError(f"cannot work in the namespace {self.namespace}")
        return results[0]

    def down(self):
        ip("netns", "del", self.namespace, check=False)
        ip("link", "del", self.link, check=False)


class BrowserWire(Wire):
    """The same for a browser. Chromium breaks off what it loads, and says ERR_NETWORK_CHANGED, when an address of its
    namespace comes or goes, as on the host with each machine, and a second after its start where IPv6 makes one."""

    net = "10.98"
    link_local = "none"
