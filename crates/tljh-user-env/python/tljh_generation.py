"""A Python process keeps the generation of the user environment with which it started.

/opt/tljh/user is a link to the active generation, as /opt/tljh/envs/NAME is to that of a named environment. When it is
switched, a process that looks for its modules and its data behind the link would from then on find another
generation's. So it looks behind the link once, at its start.
sys.executable stays behind the link: kernels, terminals and pip that it starts use the generation that is active then.

Where servers do not start from the active generation, the hub starts them from another one, which it names in
TLJH_GENERATION. There sys.executable is that one's: kernels and terminals use it too. Only what installs programs or
kernels keeps the link, since it writes the interpreter's path down, and that path may be gone some day.
"""

import os
import sys

INSTALLERS = ("pip", "pip3", "ipykernel")


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
    ways = tuple(os.path.join(folder, "bin", "python") for folder in (own, link))
    if sys.executable.startswith(ways) and not stands_in(own):
        # Without a version: the next generation may have another one.
        sys.executable = ways[1]
    # Installers ask an interpreter in isolated mode where packages belong, and remember the answer.
    if sys.flags.isolated:
        return
    found = (own + path[len(link):] if path.startswith(link + os.sep) else path for path in sys.path)
    sys.path[:] = dict.fromkeys(found)
    if sys.base_prefix == sys.prefix:
        # Else an environment of conda's would pass for a virtual one.
        sys.base_prefix = sys.base_exec_prefix = own
    sys.prefix = sys.exec_prefix = own
    activate(own, link)


def activate(own, link):
    """Have this process, and what it starts, find what packages of conda's look for in environment variables."""
    path = os.path.join(own, ".tljh-activation.json")
    if not os.path.exists(path):
        return
    import json  # Takes a while, and virtual environments need it not.

    with open(path) as file:
        variables = json.load(file)
    for name, value in variables.items():
        os.environ.setdefault(name, value.replace(link, own) if stands_in(own) else value)


def stands_in(own):
    """Whether servers are started from the generation `own` though it is not active, and this is no installer."""
    if sys.flags.isolated or os.environ.get("TLJH_GENERATION") != own:
        return False
    # `python -m pip`, `python .../bin/pip`; options of Python's own may stand before.
    return not any(os.path.basename(argument) in INSTALLERS for argument in sys.orig_argv[1:4])
