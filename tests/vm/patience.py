"""What an emulated machine needs more of than others: time."""

# Seconds until what is waited for has happened, on a host that has other things to do too.
PATIENCE = 900
# Its start takes most of that; where it says nothing it is left out.
HUB = ("jupyterhub.service",)
SNIPPET = "/etc/tljh/jupyterhub_config.d/emulated.py"


def give_servers_time(machine):
    """From its next start on the hub does not give a server up that has not started after two minutes."""
    machine.write(SNIPPET, f"c.Spawner.start_timeout = c.Spawner.http_timeout = {PATIENCE}\n", 0o600)
