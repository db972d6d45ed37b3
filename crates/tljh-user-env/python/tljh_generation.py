"""A Python process keeps the generation of the user environment with which it started.

/opt/tljh/user is a link to the active generation, as /opt/tljh/envs/NAME is to that of a named environment. When it is
switched, a process that looks for its modules and its data behind the link would from then on find another
generation's. So it looks behind the link once, at its start.
sys.executable stays behind the link: kernels, terminals and pip that it starts use the generation that is active then.
"""

import os
import sys


def pin():
    """Have this process use its own generation by that one's own path. Safe to repeat."""
    own = os.path.realpath(sys.prefix)
    parent, folder = os.path.split(os.path.dirname(own))
    if folder == "generations":
        link = os.path.join(parent, "user")
    elif os.path.basename(parent) == ".generations":
        link = os.path.join(os.path.dirname(parent), folder)
    else:
        return
    if sys.executable.startswith(own + os.sep):
        sys.executable = link + sys.executable[len(own):]
    # Installers ask an interpreter in isolated mode where packages belong, and remember the answer.
    if sys.flags.isolated:
        return
    found = (own + path[len(link):] if path.startswith(link + os.sep) else path for path in sys.path)
    sys.path[:] = dict.fromkeys(found)
    sys.prefix = sys.exec_prefix = own
    activate(own)


def activate(own):
    """Have this process, and what it starts, find what packages of conda's look for in environment variables."""
    path = os.path.join(own, ".tljh-activation.json")
    if not os.path.exists(path):
        return
    import json  # Takes a while, and virtual environments need it not.

    with open(path) as file:
        variables = json.load(file)
    for name, value in variables.items():
        os.environ.setdefault(name, value)
