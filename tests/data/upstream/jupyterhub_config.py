"""The part of upstream's hub configuration that a machine needs to be upstream's: its paths, names and defaults."""

import glob
import os

from ruamel.yaml import YAML

PREFIX = "/opt/tljh"
STATE = os.path.join(PREFIX, "state")
CONFIG = os.environ.get("UPSTREAM_CONFIG", os.path.join(PREFIX, "config"))

with open(os.path.join(CONFIG, "config.yaml")) as file:
    settings = YAML(typ="safe").load(file) or {}
with open(os.path.join(STATE, "traefik-api.secret")) as file:
    secret = file.read().strip()

c = get_config()  # noqa: F821
c.JupyterHub.spawner_class = "tljh.user_creating_spawner.UserCreatingSpawner"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.hub_port = 15001
c.JupyterHub.authenticator_class = settings.get("auth", {}).get("type", "firstuseauthenticator.FirstUseAuthenticator")
c.FirstUseAuthenticator.dbm_path = os.path.join(STATE, "passwords.dbm")
c.FirstUseAuthenticator.create_users = False
c.Authenticator.admin_users = set(settings.get("users", {}).get("admin", []))
c.Authenticator.allow_all = True
# The stand-in for Traefik.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.get('traefik_api', {}).get('port', 8099)}"
c.ConfigurableHTTPProxy.auth_token = secret

c.SystemdSpawner.unit_name_template = "jupyter-{USERNAME}"
c.SystemdSpawner.default_shell = "/bin/bash"
c.SystemdSpawner.extra_paths = [os.path.join(PREFIX, "user/bin")]
c.SystemdSpawner.cmd = [os.path.join(PREFIX, "user/bin/jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.mem_limit = settings.get("limits", {}).get("memory")

for snippet in sorted(glob.glob(os.path.join(CONFIG, "jupyterhub_config.d", "*.py"))):
    load_subconfig(snippet)  # noqa: F821
