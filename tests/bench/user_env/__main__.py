"""Prints the user environment's figures alone: `python3 -m tests.bench.user_env PROGRAM BUNDLE [PART...]`.

BUNDLE is the folder `usr/lib/tljh-user-env` of the package, or what `packaging/environments.sh SUITE` prints.
"""

import argparse
import os
import sys
from pathlib import Path

from ..figures import load, print_heading, print_rows
from . import PARTS, measure


def main():
    names = {part.__name__.rpartition(".")[2]: part for part in PARTS}
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.user_env", description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="where the installations are made (%(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root may change a user environment: run it with `sudo`")
    if unknown := set(options.part) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    wanted = [names[name] for name in options.part] or PARTS
    figures = measure(options.program.resolve(), options.bundle.resolve(), wanted, options.folder)
    print_heading("Summary")
    print_rows(("figure", "ours", "peer or target", "ratio", "met"), figures)
    print(f"\n{load()}")


if __name__ == "__main__":
    sys.exit(main())
