#!/usr/bin/python3
"""bill.py SUITE ROOT DEB: prints the bill of materials of the package DEB, whose files are staged at ROOT.

CycloneDX 1.6. It names the programs with the crates that each contains, the Python distributions and uv; what those have
in themselves (a wheel's libraries and scripts, uv's crates) is for their own makers to say. A hash is that of the file
in the package or, for a crate, of what crates.io serves. A distribution that is installed is no longer one file, and a
wheel that was made anew is another one: it has the hashes of the locked files, one of which it was made from, as properties
`tljh:locked:sha256`.
SOURCE_DATE_EPOCH is the date of the bill.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from contents import PROJECT, crates, installed, programs, wheels

SPECIFICATION = "1.6"
UV = "usr/lib/tljh-user-env/uv"


def sha256(content):
    return [{"alg": "SHA-256", "content": content}]


def file_hash(path):
    with path.open("rb") as file:
        return sha256(hashlib.file_digest(file, "sha256").hexdigest())


def fields(deb):
    """Name, version and architecture of the package."""
    told = subprocess.run(["dpkg-deb", "--show", "--showformat=${Package}\n${Version}\n${Architecture}", deb],
                          capture_output=True, text=True, check=True)
    return told.stdout.split("\n")


def locked_hashes(lock):
    """{(normal name, version): hashes} of a file of locked requirements."""
    found, hashes = {}, []
    for line in (PROJECT / "packaging" / lock).read_text().splitlines():
        if entry := re.match(r"([\w.-]+)==([^\s;\\]+)", line):
            hashes = found.setdefault((normal(entry[1]), entry[2]), [])
        hashes += re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
    return found


def normal(name):
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_components(distributions, locked):
    hashes = locked_hashes(f"{locked}/requirements.txt")
    return [python_component(one, hashes) for one in distributions]


def python_component(one, hashes):
    purl = f"pkg:pypi/{normal(one.name)}@{quote(one.version)}"
    expression = one.metadata["License-Expression"]
    component = {
        "type": "library", "bom-ref": purl, "name": one.name, "version": one.version,
        "licenses": [{"expression": expression} if expression else {"license": {"name": one.licence()}}], "purl": purl,
    }
    known = hashes[normal(one.name), one.version]
    if one.wheel:
        component["hashes"] = file_hash(one.wheel)
        if component["hashes"][0]["content"] in known:
            return component
        component["pedigree"] = {"notes": "made anew by packaging/user-env/rework.py of the source package"}
    return {**component, "properties": [{"name": "tljh:locked:sha256", "value": each} for each in sorted(known)]}


def uv_component(path):
    ((name, version),) = locked_hashes("uv/requirements.txt")
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "application", "bom-ref": purl, "name": name, "version": version, "hashes": file_hash(path),
            "licenses": [{"expression": "MIT OR Apache-2.0"}], "purl": purl}


def standard_library():
    told = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"^release: (.*)$", told, re.MULTILINE)[1]
    return {"type": "library", "bom-ref": f"pkg:generic/rust@{version}", "name": "rust-std", "version": version,
            "licenses": [{"expression": "MIT OR Apache-2.0"}], "purl": f"pkg:generic/rust@{version}"}


def reference(crate):
    return f"pkg:cargo/{crate.name}@{quote(crate.version)}"


def crate_component(crate):
    component = {"type": "library", "bom-ref": reference(crate), "name": crate.name, "version": crate.version,
                 "licenses": [{"expression": crate.licence}]}
    if crate.ours:
        return component
    return {**component, "hashes": sha256(crate.checksum), "purl": reference(crate)}


def add_program(program, root, version, components, needs):
    """The program and its crates; what is in two programs is there once."""
    own, std = f"program:{program.relative_to(root)}", standard_library()
    components[std["bom-ref"]] = std
    components[own] = {"type": "application", "bom-ref": own, "name": program.name, "version": version,
                       "hashes": file_hash(program), "licenses": [{"expression": "BSD-3-Clause"}]}
    for crate in crates(program.name).values():
        at = own if crate.name == program.name else reference(crate)
        components.setdefault(at, crate_component(crate))
        needs.setdefault(at, set()).update(reference(each) for each in crate.needs)
    needs[own].add(std["bom-ref"])
    return own


def make_bill(suite, root, deb):
    name, version, architecture = fields(deb)
    purl = f"pkg:deb/tljh/{name}@{quote(version)}?arch={architecture}&distro={suite}"
    components, needs, carried = {}, {}, []
    for program in programs(root):
        carried.append(add_program(program, root, version, components, needs))
    others = python_components(installed(root), "hub-env") + python_components(wheels(root), "user-env")
    if (root / UV).exists():
        others.append(uv_component(root / UV))
    for component in others:
        components[component["bom-ref"]] = component
        carried.append(component["bom-ref"])
    needs[purl] = set(carried)
    date = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    digest = file_hash(deb)
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        # The same for the same package.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl + digest[0]['content'])}",
        "version": 1,
        "metadata": {
            "timestamp": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {"type": "application", "bom-ref": purl, "name": name, "version": version, "hashes": digest,
                          "purl": purl},
        },
        "components": [components[at] for at in sorted(components)],
        "dependencies": [{"ref": at, **({"dependsOn": sorted(needs[at])} if needs[at] else {})} for at in sorted(needs)],
    }


if __name__ == "__main__":
    print(json.dumps(make_bill(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), indent=1))
