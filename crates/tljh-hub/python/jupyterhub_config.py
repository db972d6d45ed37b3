# The hub's configuration: what tljh-hub rendered, then plugins, then snippets, the administrator's last.

import json
import os

from tljh.environment import read_fallback
from tljh.hooks import plugin_manager
from tljh.login import after_login
from tljh.snippets import SnippetError, load_snippets, start_over

c = get_config()  # noqa: F821 - traitlets provides it

with open(os.environ["TLJH_TRAITS"]) as rendered:
    settings = json.load(rendered)
for class_name, traits in settings["traits"].items():
    c[class_name].update(traits)
# It comes and goes while the hub runs: called for each page.
c.JupyterHub.template_vars = {"tljh_environment": read_fallback}
if "TLJH_RUNNING" in os.environ:
    with open(os.environ["TLJH_RUNNING"]) as running:
        c.JupyterHub.template_vars["tljh_fallback"] = json.load(running)["fallback"]
c.Authenticator.post_auth_hook = after_login(settings["initial_admin_password"])

plugin_manager().hook.tljh_custom_jupyterhub_config(c=c)

*vendors, administrators = settings["snippets"]
for folder in vendors:
    load_snippets(folder, load_subconfig)  # noqa: F821 - traitlets provides it
try:
    load_snippets(administrators, load_subconfig)  # noqa: F821 - traitlets provides it
except SnippetError as error:
    # Returns where there is nothing to go back to: a snippet may be what keeps people out, so none is left out.
    start_over(error)
    raise

# Our own database is migrated by tljh-hub, which works on a copy of it. Another one is its administrator's to back up;
# JupyterHub migrates it, as nobody else knows when.
if "upgrade_db" not in c.JupyterHub:
    c.JupyterHub.upgrade_db = c.JupyterHub.db_url != settings["traits"]["JupyterHub"]["db_url"]

# A role for a service that a snippet took away would keep the hub from starting.
services = {service.get("name") for service in c.JupyterHub.services}
c.JupyterHub.load_roles = [
    role for role in c.JupyterHub.load_roles if role["name"] != "cull-idle" or "cull-idle" in services
]
