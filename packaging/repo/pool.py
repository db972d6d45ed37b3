#!/usr/bin/python3
"""Copies packages into the pool of the static repository.

    pool.py DEBS OUT SUITE...

DEBS/<suite>/*.deb become OUT/pool/<suite>/<name>_<version>_<architecture>.deb. Files of
other versions stay. Nothing is copied before every package was read, and each file
appears whole, by rename. The bill of materials beside a package, of its name with
.cdx.json for .deb, becomes OUT/sbom/<suite>/<name>_<version>_<architecture>.cdx.json.

A package that is already there with other content is replaced, with a warning, as a
development repository needs it. TLJH_REPLACE=no makes that an error: machines that took
the first content would never learn of the second.
"""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path


class PoolError(Exception):
    """What went wrong, and optionally one command or step that helps."""

    def __init__(self, message, hint=None):
        super().__init__(message)
        self.hint = hint


def read_identity(deb):
    """Name, version and architecture of a package file, as dpkg reads them."""
    fields = ["Package", "Version", "Architecture"]
    query = subprocess.run(
        ["dpkg-deb", "--show", "--showformat=" + "\\n".join("${%s}" % f for f in fields), deb],
        capture_output=True,
        text=True,
    )
    identity = query.stdout.split("\n")
    if query.returncode != 0 or len(identity) != 3 or not all(identity):
        raise PoolError(f"cannot read the package `{deb}`: {query.stderr.strip()}")
    return tuple(identity)


def pool_name(name, version, architecture):
    """File name in the pool: Debian leaves the epoch out of file names."""
    return f"{name}_{version.split(':', 1)[-1]}_{architecture}.deb"


def plan_copies(debs, out, suites, replace):
    """List of (source, destination, sentence for the user or None), after all checks."""
    plan, origin = [], {}
    for suite in suites:
        for source in sorted((debs / suite).glob("*.deb")):
            name, version, architecture = read_identity(source)
            destination = out / "pool" / suite / pool_name(name, version, architecture)
            if destination in origin:
                raise PoolError(
                    f"`{source}` and `{origin[destination]}` are both {name} {version}",
                    f"rm {source}",
                )
            origin[destination] = source
            if not destination.exists():
                plan.append((source, destination, f"{suite}: added {name} {version}"))
            elif not filecmp.cmp(source, destination, shallow=False):
                if not replace:
                    raise PoolError(
                        f"{name} {version} was published for {suite} with other content",
                        "raise VERSION",
                    )
                plan.append(
                    (source, destination, f"{suite}: warning: replaced {name} {version}, other content")
                )
            bill = source.with_suffix(".cdx.json")
            if bill.exists():
                plan.append((bill, out / "sbom" / suite / destination.with_suffix(".cdx.json").name, None))
    return plan


def apply_copies(plan):
    """Copies, never links: a later build must not change a file that is published."""
    for source, destination, sentence in plan:
        destination.parent.mkdir(parents=True, exist_ok=True)
        partial = destination.with_name(destination.name + ".partial")
        shutil.copyfile(source, partial)
        partial.chmod(0o644)
        os.replace(partial, destination)
        if sentence:
            print(sentence)


def prune_bills(out):
    """A bill goes with its package."""
    for bill in out.glob("sbom/*/*.cdx.json"):
        if not (out / "pool" / bill.parent.name / bill.name.replace(".cdx.json", ".deb")).exists():
            bill.unlink()


def main(arguments):
    debs, out, *suites = arguments
    replace = os.environ.get("TLJH_REPLACE", "yes") != "no"
    try:
        apply_copies(plan_copies(Path(debs), Path(out), suites, replace))
        prune_bills(Path(out))
    except PoolError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
