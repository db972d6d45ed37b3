#!/usr/bin/python3
"""copyright.py PACKAGE ROOT: prints the copyright file of a package whose files are staged at ROOT.

It is debian/copyright, with a paragraph for each Python distribution that the package bundles
and the crates that its programs contain, as their own metadata has them; so the file cannot
differ from what is shipped. Fails when a distribution or a crate names no licence.
"""

import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
# The licences whose texts Debian's base-files holds, of those that occur.
COMMON = ("Apache-2.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "MPL-2.0")
CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.+)")
NOTICE = re.compile(r"^\W*(?:copyright\b|\(c\)).*\d{4}", re.IGNORECASE)
# How licence files call themselves, for a distribution whose metadata gives no name.
PHRASES = {"Modified BSD License": "BSD-3-Clause", "MIT License": "MIT", "Apache License": "Apache-2.0"}
LICENSE_FILE = re.compile(r"(?:^|/)(?:licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)


class Distribution:
    """One bundled Python distribution, installed or as a wheel."""

    def __init__(self, files, metadata, texts, where):
        self.files = files
        self.metadata = message_from_string(metadata)
        self.texts = texts
        self.where = where

    def licence(self):
        """The licence as a short name; SPDX where the distribution gives it."""
        free = (self.metadata["License"] or "").strip()
        names = [self.metadata["License-Expression"]]
        if "\n" not in free and len(free) < 60:
            names.append(free)
        classifiers = self.metadata.get_all("Classifier", [])
        names += [found[1] for found in map(CLASSIFIER.fullmatch, classifiers) if found]
        for name in names:
            if name and name.lower() not in ("unknown", "osi approved"):
                return short_name(name)
        for phrase, name in PHRASES.items():
            if any(phrase in text for text in [free, *self.texts.values()]):
                return name
        raise SystemExit(f"error: `{self.metadata['Name']}` names no licence")

    def holders(self):
        """Copyright notices of the licence files, or else the authors."""
        notices = []
        for text in self.texts.values():
            for line in text.splitlines():
                line = " ".join(line.split())
                holder = re.sub(r"^\W*copyright:?\s+", "", line, flags=re.IGNORECASE)
                if NOTICE.match(line) and holder not in notices:
                    notices.append(holder)
        who = self.metadata["Author"] or self.metadata["Author-email"] or self.metadata["Maintainer-email"]
        return notices[:20] or [" ".join((who or f"the authors of {self.metadata['Name']}").split())]

    def paragraph(self):
        lines = [f"Files: {' '.join(self.files)}"]
        lines += ["Copyright: " + "\n ".join(self.holders()), f"License: {self.licence()}"]
        lines += [f" {self.metadata['Name']} {self.metadata['Version']}."]
        if self.texts:
            lines += [f" The text is {self.where}:"] + [f"  {name}" for name in self.texts]
        return "\n".join(lines)


def short_name(name):
    """`name` in the grammar of the copyright format: no blanks inside a name, `and` and `or` between."""
    words = re.split(r"\s+(AND|OR|and|or)\s+", name)
    words = [w.lower() if w.lower() in ("and", "or") else re.sub(r"[\s,]+", "-", re.sub(r"[()]", "", w)) for w in words]
    return " ".join(words)


def installed(root):
    for info in sorted(root.glob("opt/tljh/hub/lib/python3*/site-packages/*.dist-info")):
        site = info.parent
        # A path in RECORD begins with the name of what it adds to site-packages, or with `..`.
        tops = {line.split(",")[0].split("/")[0] for line in (info / "RECORD").read_text().splitlines()}
        files = []
        for top in sorted(tops - {"..", "__pycache__"}):
            path = site / top
            if path.exists():
                files.append(f"{path.relative_to(root)}{'/*' if path.is_dir() else ''}")
        texts = {f"/{path.relative_to(root)}": path.read_text(errors="replace")
                 for path in sorted(info.rglob("*")) if path.is_file() and LICENSE_FILE.search(str(path))}
        yield Distribution(files, (info / "METADATA").read_text(), texts, "in this package")


def wheels(root):
    for wheel in sorted(root.glob("usr/lib/tljh-user-env/wheels/*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            metadata = next(n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            texts = {n: archive.read(n).decode(errors="replace")
                     for n in names if ".dist-info/" in n and LICENSE_FILE.search(n)}
            yield Distribution([str(wheel.relative_to(root))], archive.read(metadata).decode(), texts,
                               "inside that wheel")


def programs(root):
    """The programs that are made of crates of ours."""
    ours = {path.name for path in (PROJECT / "crates").iterdir()}
    found = [*root.glob("usr/bin/*"), *root.glob("usr/lib/tljh-*/*")]
    return sorted(path for path in found if path.name in ours and path.is_file())


def crates(package):
    """(name and version, licence) of each crate that the program contains, ours left out."""
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none",
         "--format", "{p}|{l}"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    found = {tuple(line.removesuffix(" (*)").split("|")) for line in tree.splitlines() if line}
    for name, licence in sorted(found):
        if "(/" in name:
            continue
        if not licence:
            raise SystemExit(f"error: the crate `{name}` names no licence")
        yield re.sub(r" v| \(.*\)", " ", name).strip(), licence.replace("/", " OR ")


def main(package, root):
    parts = [(PROJECT / "debian/copyright").read_text().rstrip()]
    for program in programs(root):
        lines = [f"Files: {program.relative_to(root)}", "Copyright: 2026 The Littlest JupyterHub packagers",
                 " and the authors of the crates below", "License: BSD-3-Clause and others",
                 " The program contains these crates, published at crates.io under these licences:"]
        lines += [f"  {name}: {licence}" for name, licence in crates(program.name)]
        parts.append("\n".join(lines))
    parts += [one.paragraph() for one in [*installed(root), *wheels(root)]]
    text = "\n\n".join(parts) + "\n"
    cited = [name for name in COMMON if re.search(rf"\b{re.escape(name)}\b", text)]
    if cited:
        where = "".join(f"\n  /usr/share/common-licenses/{name}" for name in cited)
        header, rest = text.split("\n\n", 1)
        text = f"{header}\nComment:\n On Debian systems these texts are at{where}\n\n{rest}"
    sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
