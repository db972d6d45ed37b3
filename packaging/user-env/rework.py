#!/usr/bin/python3
"""Makes wheels anew, without files that nobody needs and with changes of ours: rework.py WHEELS REQUIREMENTS

`prune.txt` beside this program names the files, `patches/DISTRIBUTION/` has the changes. Name, version and all other files
of a wheel in the folder WHEELS stay as they are, and its list of files (RECORD) goes with them. Its new hash is added to the
locked REQUIREMENTS beside that of the wheel that it was made from.
"""

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(wheels, requirements):
    patterns, patches = read_patterns(), sorted(HERE.glob("patches/*/*.patch"))
    for name in sorted({*patterns, *(patch.parent.name for patch in patches)}):
        (wheel,) = wheels.glob(f"{name}-*.whl")
        before = sha256(wheel)
        rework(wheel, patterns.get(name, []), [patch for patch in patches if patch.parent.name == name])
        add_hash(requirements, before, sha256(wheel))


def read_patterns():
    """{distribution: patterns of files that go}."""
    lines = [line.split() for line in (HERE / "prune.txt").read_text().splitlines()]
    found = {}
    for name, pattern in (line for line in lines if line and not line[0].startswith("#")):
        found.setdefault(name, []).append(pattern)
    return found


def rework(wheel, patterns, patches):
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(wheel) as packed:
        gone = set()
        for pattern in patterns:
            found = {entry.filename for entry in packed.infolist() if fnmatchcase(entry.filename, pattern)}
            if not found:
                raise SystemExit(f"error: {wheel.name} has no file like {pattern}")
            gone |= found
        kept = [entry for entry in packed.infolist() if entry.filename not in gone]
        packed.extractall(unpacked, kept)
        for patch in patches:
            subprocess.run(["patch", "--quiet", "--strip=1", "--fuzz=0", "--no-backup-if-mismatch", "--force",
                            f"--directory={unpacked}", f"--input={patch}"], check=True)
        pack(wheel, kept, Path(unpacked))


def pack(wheel, entries, unpacked):
    """Writes the files `entries` of the folder `unpacked` in the place of `wheel`."""
    new = wheel.with_suffix(".new")
    with zipfile.ZipFile(new, "w") as packed:
        for entry in entries:
            # Time and mode as they were. Not compressed: the same to the bit whatever zlib there is, and the package is.
            entry.compress_type = zipfile.ZIP_STORED
            if entry.filename.endswith(".dist-info/RECORD"):
                packed.writestr(entry, record(unpacked, entries, entry.filename))
            else:
                packed.writestr(entry, (unpacked / entry.filename).read_bytes())
    os.replace(new, wheel)


def record(unpacked, entries, itself):
    """Each file with its hash and size; the list itself has none (the "Recording installed projects" specification)."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for entry in entries:
        content = (unpacked / entry.filename).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([itself, "", ""] if entry.filename == itself else [entry.filename, f"sha256={digest}", len(content)])
    return text.getvalue()


def add_hash(requirements, before, after):
    known, text = f"--hash=sha256:{before}", requirements.read_text()
    if known not in text:
        raise SystemExit(f"error: no requirement has {known}")
    requirements.write_text(text.replace(known, f"{known} \\\n    --hash=sha256:{after}"))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
