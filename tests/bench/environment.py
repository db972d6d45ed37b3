"""The user environment made anew by `tljh-user-env ensure`, beside pip with the same wheels.

Both run on the same machine and reach no index. pip compiles bytecode unless told not to; it is shown
both ways, and so is the first start of JupyterLab in each environment. Ours ends with everything on disk
(syncfs), which pip does not wait for.
"""

import time

from .figures import against_peer, print_heading, print_rows

BUNDLE = "/usr/lib/tljh-user-env"
FOLDER = "/opt/tljh/user"
GENERATIONS = "/opt/tljh/generations"
OURS = "tljh-user-env (uv)"
PEER = "/srv/peer"


def measure(machine):
    print_heading("User environment from the bundled wheels")
    rows = []
    plain, compiled = f"{PEER}/plain", f"{PEER}/compiled"
    measured = {
        "pip": (pip_command(compiled), compiled),
        "pip --no-compile": (pip_command(plain) + " --no-compile", plain),
        OURS: ("tljh-user-env ensure", FOLDER),
    }
    # pip itself comes from the environment that is there, so ours is made anew last.
    seconds = {}
    for name, (command, folder) in measured.items():
        gone = f"{folder} {GENERATIONS}" if name == OURS else folder
        machine.run(f"rm -rf {gone}; sync -f /opt")
        seconds[name] = timed(machine, command)
        machine.run("sync -f /opt")
        starts = [timed(machine, f"{folder}/bin/python -m jupyterlab --version") for _ in range(2)]
        rows.append((name, f"{seconds[name]:.1f}", *(f"{start:.1f}" for start in starts)))
    machine.run(f"rm -rf {PEER}")
    print_rows(("seconds", "made in", "first start", "second start"), rows)
    return [
        against_peer("user environment made", seconds[OURS], seconds[peer], "s", peer) for peer in ("pip", "pip --no-compile")
    ]


def pip_command(folder):
    return (
        f"python3 -m venv --without-pip --system-site-packages {folder} && {FOLDER}/bin/python -m pip -q"
        f" --python {folder}/bin/python install --no-index --no-deps --ignore-installed --require-hashes"
        f" --find-links {BUNDLE}/wheels -r {BUNDLE}/requirements.txt"
    )


def timed(machine, command):
    began = time.monotonic()
    machine.run(command, timeout=300)
    return time.monotonic() - began
