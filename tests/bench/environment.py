"""The user environment made anew by `tljh-user-env ensure`, beside pip with the same wheels.

Both run on the same machine and reach no index. pip compiles bytecode unless told not to; it is shown
both ways, and so is the first start of JupyterLab's server program in each environment.
"""

import time

from .figures import against_peer, print_heading, print_rows

BUNDLE = "/usr/lib/tljh-user-env"
OURS = "/opt/tljh/user"
PEER = "/srv/peer"


def measure(machine):
    print_heading("User environment from the bundled wheels")
    rows = []
    remake = f"rm -rf {OURS} && tljh-user-env ensure"
    # pip itself comes from the environment that is there.
    pip = (
        f"python3 -m venv --without-pip --system-site-packages {{path}} && {OURS}/bin/python -m pip -q --python"
        f" {{path}}/bin/python install --no-index --no-deps --ignore-installed --require-hashes --find-links {BUNDLE}/wheels"
        f" -r {BUNDLE}/requirements.txt"
    )
    measured = {
        "tljh-user-env (uv)": (remake, OURS),
        "pip": (pip.format(path=f"{PEER}/compiled"), f"{PEER}/compiled"),
        "pip --no-compile": (pip.format(path=f"{PEER}/plain") + " --no-compile", f"{PEER}/plain"),
    }
    seconds = {}
    for name, (command, path) in measured.items():
        seconds[name] = timed(machine, command)
        starts = [timed(machine, f"{path}/bin/python -m jupyterlab --version") for _ in range(2)]
        rows.append((name, f"{seconds[name]:.1f}", *(f"{start:.1f}" for start in starts)))
    machine.run(f"rm -rf {PEER}")
    print_rows(("seconds", "made in", "first start", "second start"), rows)
    ours = seconds["tljh-user-env (uv)"]
    return [
        against_peer("user environment made", ours, seconds["pip"], "s", "pip"),
        against_peer("user environment made", ours, seconds["pip --no-compile"], "s", "pip --no-compile"),
    ]


def timed(machine, command):
    began = time.monotonic()
    machine.run(command, timeout=300)
    return time.monotonic() - began
