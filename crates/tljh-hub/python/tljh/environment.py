"""The generation of the user environment that stands in where no server starts from the active one.

``tljh-user-env fallback`` finds it, makes it where there is none, and writes it down; nothing is decided here.
"""

import json
import os
import re

LINK = "/opt/tljh/user"
RECORD = "/opt/tljh/generations/fallback.json"
#: More than the hub gives a server to start: what was begun is found by the next who tries.
DEADLINE = 600
PROGRESS = (
    "The environment that everybody uses is damaged. Your server runs on the last one that worked; "
    "an administrator can mend the other."
)


def read_fallback(user=None):
    """What the admin page tells of the generation that stands in; None where none does."""
    try:
        with open(RECORD) as record:
            return json.load(record)
    except (OSError, ValueError):
        return None


def warning(fallback):
    """The line in the journal."""
    return (
        f"No server starts from the active user environment (generation {fallback['broken']}): {fallback['reason']}. "
        f"Servers are started from generation {fallback['generation']} until it is mended. "
        "`tljh-user-env check` shows what is wrong, `sudo tljh-user-env repair` mends it"
    )


def is_ours(command):
    """Whether a server's command is a program of the user environment."""
    return behind(LINK, command[0])


def behind(link, path):
    """Whether ``path`` is in the environment that is found by ``link``."""
    return path.startswith(link + os.sep)


def command_from(fallback, command):
    """``command``, a program of the active environment, as one of the generation that stands in.

    A program's first line names the Python of the active environment, so it is given to the other one's.
    """
    link, folder = fallback["link"], fallback["folder"]
    program, *arguments = command
    return [f"{folder}/bin/python", folder + program[len(link):], *arguments]


def paths_from(fallback, paths):
    """``paths`` for programs, those of the active environment replaced."""
    link, folder = fallback["link"], fallback["folder"]
    moved = (folder + path[len(link):] if behind(link, path) else path for path in paths)
    return [fallback["programs"], *moved]


def own_packages(home):
    """The folders of packages that people installed for themselves, which come before everybody's."""
    lib = os.path.join(home, ".local", "lib")
    try:
        names = sorted(os.listdir(lib))
    except OSError:
        return []
    # The name ends up in a command.
    found = (os.path.join(lib, name) for name in names if re.fullmatch(r"python3\.\d+", name))
    return [path for path in found if has_packages(os.path.join(path, "site-packages"))]


def has_packages(folder):
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False
