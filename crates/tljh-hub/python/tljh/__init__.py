"""What JupyterHub must import to run as The Littlest JupyterHub; everything else is tljh-hub's."""
