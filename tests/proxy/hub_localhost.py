"""A pytest plugin for JupyterHub's own tests: `hub.localhost` and all below it are this machine."""

import socket

resolve = socket.getaddrinfo


def getaddrinfo(host, *args, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if name and (name == "hub.localhost" or name.endswith(".hub.localhost")):
        host = "127.0.0.1"
    return resolve(host, *args, **options)


socket.getaddrinfo = getaddrinfo
