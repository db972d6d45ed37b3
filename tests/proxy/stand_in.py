#!/usr/bin/env python3
"""tljh-proxy under the name and with the options of configurable-http-proxy, as JupyterHub's own tests start it.

$STAND_IN_FOLDER holds the settings and state; each start gets its own, since CHP forgets its routes. $TLJH_PROXY is
the binary.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--host-routing", action="store_true")
for name in ("ip", "port", "api-ip", "api-port", "default-target", "error-target", "log-level"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
folder = Path(tempfile.mkdtemp(dir=os.environ["STAND_IN_FOLDER"]))
settings = {
    "http_address": given.ip,
    "http_port": int(given.port),
    "api_address": given.api_ip,
    "api_port": int(given.api_port),
    "host_routing": given.host_routing,
    # One test asks for a page before there is any route, and takes whatever comes within seconds.
    "hub_wait": 1,
}
(folder / "proxy.json").write_text(json.dumps(settings))
(folder / "token").write_text(os.environ["CONFIGPROXY_AUTH_TOKEN"])
if given.default_target:
    (folder / "state").mkdir()
    (folder / "state/routes.json").write_text(json.dumps({"/": {"target": given.default_target}}))
command = ["tljh-proxy", "run", "--settings", folder / "proxy.json", "--token-file", folder / "token"]
os.execv(os.environ["TLJH_PROXY"], [*command, "--state-dir", folder / "state"])
