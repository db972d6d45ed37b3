"""Takes files that nobody needs out of wheels: prune.py PATTERNS WHEELS REQUIREMENTS

Name, version and all other files of a wheel in the folder WHEELS stay as they are, and its list of files (RECORD) goes with
them. Its new hash is added to the locked REQUIREMENTS beside that of the wheel that it was made from.
"""

import csv
import hashlib
import io
import os
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path


def main(patterns, wheels, requirements):
    lines = [line.split() for line in patterns.read_text().splitlines()]
    for name, pattern in (line for line in lines if line and not line[0].startswith("#")):
        (wheel,) = wheels.glob(f"{name}-*.whl")
        before = sha256(wheel)
        prune(wheel, pattern)
        add_hash(requirements, before, sha256(wheel))


def prune(wheel, pattern):
    new = wheel.with_suffix(".new")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w") as kept:
        gone = {entry.filename for entry in old.infolist() if fnmatchcase(entry.filename, pattern)}
        if not gone:
            raise SystemExit(f"error: {wheel.name} has no file like {pattern}")
        for entry in old.infolist():
            if entry.filename in gone:
                continue
            content = old.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                content = without(gone, content.decode()).encode()
            # Time and mode as they were.
            kept.writestr(entry, content)
    os.replace(new, wheel)


def without(gone, record):
    kept = io.StringIO()
    csv.writer(kept, lineterminator="\n").writerows(row for row in csv.reader(record.splitlines()) if row[0] not in gone)
    return kept.getvalue()


def add_hash(requirements, before, after):
    known, text = f"--hash=sha256:{before}", requirements.read_text()
    if known not in text:
        raise SystemExit(f"error: no requirement has {known}")
    requirements.write_text(text.replace(known, f"{known} \\\n    --hash=sha256:{after}"))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
