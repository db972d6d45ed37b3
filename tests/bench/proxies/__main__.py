"""Prints the proxy's figures alone: `python3 -m tests.bench.proxies BINARY [PART...]`."""

import argparse
import shutil
import sys
from pathlib import Path

from ..figures import print_heading, print_rows
from . import PARTS, measure


def main():
    names = {part.__name__.rpartition(".")[2]: part for part in PARTS}
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.proxies", description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--seconds", type=int, default=1, help="of each round")
    options = parser.parse_args()
    for program in ("wrk", "nginx", "openssl"):
        if not shutil.which(program, path="/usr/bin:/usr/sbin"):
            parser.error(f"{program} is not installed: run `apt install {program}`")
    if unknown := set(options.part) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    wanted = [names[name] for name in options.part] or PARTS
    figures = measure(options.binary.resolve(), options.seconds, wanted)
    print_heading("Summary")
    print_rows(("figure", "ours", "peer or target", "ratio", "met"), figures)


if __name__ == "__main__":
    sys.exit(main())
