"""three packages installed, beside pip.

pandas, scikit-learn and matplotlib into the default environment, with all that is fetched in the caches of both: ours
makes a new generation, pip changes the active one where it stands. The change is ours without the trial: planned,
copied, installed, and waited for until it is on disk, which pip does not do. pip compiles bytecode unless it is told
not to; with us a service does that afterwards.
"""

from statistics import median

from ..figures import at_least, print_rows

PACKAGES = ("pandas", "scikit-learn", "matplotlib")
ROUNDS = 3
TRIAL, COPY = "trying it out with a throw-away server", "keeping a copy of it"
PIP, PLAIN = "pip", "pip --no-compile"
PARTS = ("finding out what that means", "copying the environment to generation", "changing generation",
         TRIAL, "waiting until it is on the disk")


def measure(installation):
    installation.run("ensure")
    installation.run("compile")
    runs = [install(installation) for _ in range(ROUNDS + 1)][1:]
    # Both begin with the same environment.
    pip = {name: [with_pip(installation, options) for _ in range(ROUNDS + 1)][1:]
           for name, options in {PIP: (), PLAIN: ("--no-compile",)}.items()}
    whole = median(took for took, _ in runs)
    change = median(took - steps[TRIAL] for took, steps in runs)
    rows = [(name, f"{median(steps[name] for _, steps in runs):.2f}") for name in PARTS]
    rows += [("change", f"{change:.2f}"), ("change and trial", f"{whole:.2f}")]
    rows += [(name, f"{median(seconds):.2f}") for name, seconds in pip.items()]
    print_rows(("seconds, median", ""), rows)
    figures = []
    for name, seconds in pip.items():
        for what, ours in (("packages installed", change), ("packages installed and tried out", whole)):
            least = 5 if (name, ours) == (PIP, change) else None
            figures.append(faster(what, ours, median(seconds), name, least))
    return figures


def install(installation):
    """Seconds of the whole and of its steps; the first generation is active again afterwards."""
    took, steps = installation.run("install", *PACKAGES)
    installation.run("rollback", "1")
    return took - steps.get(COPY, 0), steps


def with_pip(installation, options):
    before = packages(installation)
    took = installation.pip("install", *options, *PACKAGES)
    installation.pip("uninstall", "--yes", *(packages(installation) - before))
    return took


def packages(installation):
    site = next(installation.link.glob("lib/python3.*")) / "site-packages"
    return {path.name.partition("-")[0] for path in site.glob("*.dist-info")}


def faster(name, ours, peer, peer_name, least):
    """How many times as fast as the peer; `least` is what is to be reached."""
    figure = at_least(name, 1 / ours, 1 / peer, "1/s", peer_name, least)
    shown = f"{peer_name}: {peer:.1f} s" + (f", >= {least} x as fast" if least else "")
    return figure._replace(ours=f"{ours:.1f} s", peer=shown)
