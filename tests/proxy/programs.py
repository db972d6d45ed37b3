"""The programs under test, and ports for them. TLJH_PROXY names the proxy's binary, else the debug build is taken."""

import os
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("TLJH_CACHE", "/var/cache/tljh"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROXY = Path(os.environ.get("TLJH_PROXY", TARGET / "debug" / "tljh-proxy")).absolute()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
