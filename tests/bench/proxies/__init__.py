"""tljh-proxy beside nginx and configurable-http-proxy (CHP)."""

import sys

from ..figures import missing, print_heading
from . import downloads, handshakes, idle, many_routes, small_requests, websockets

PARTS = (small_requests, many_routes, downloads, websockets, handshakes, idle)


def measure(binary, seconds=1, parts=PARTS):
    """Figures of the proxy program `binary`, in rounds of `seconds`."""
    figures = []
    for part in parts:
        title = part.__doc__.partition("\n")[0].rstrip(".")
        print_heading(f"Proxy: {title}")
        try:
            figures += part.measure(binary, seconds)
        except Exception as error:
            print(f"{title}: {error}", file=sys.stderr)
            figures.append(missing(f"proxy: {title}", error))
    return figures
