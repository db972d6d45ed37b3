"""five generations on disk.

Each has one package more than the one before, with all that this needs. Hard links are counted once; with the
generations is what belongs to them: uv's cache and the copy of the active one. One generation is the last.
"""

import subprocess

from ..figures import against_peer, print_rows

PACKAGES = ("pandas", "matplotlib", "scikit-learn", "networkx")


def measure(installation):
    for command in ("ensure", "compile"):
        installation.run(command)
    for package in PACKAGES:
        installation.run("install", package)
        # As the service does after each change.
        installation.run("compile")
    folders = sorted((path for path in installation.generations.iterdir() if path.name.isdigit()),
                     key=lambda path: int(path.name))
    alone = [megabytes(folder) for folder in folders]
    together = megabytes(*folders)
    everything = megabytes(installation.generations)
    print_rows(("MB on disk", ""), [
        *((f"generation {folder.name} alone", f"{size:.0f}") for folder, size in zip(folders, alone)),
        ("all five", f"{together:.0f}"), ("all five, with cache and copy", f"{everything:.0f}"),
    ])
    return [
        against_peer("five generations on disk", together, alone[-1], "MB", "one", limit=1.3, digits=0),
        against_peer("five generations, with cache and copy", everything, alone[-1], "MB", "one", digits=0),
    ]


def megabytes(*folders):
    """What `folders` take together, each file counted once."""
    done = subprocess.run(["du", "--summarize", "--total", "--block-size=1", *folders], check=True,
                          capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1].split()[0]) / 1e6
