"""What of others a staged package carries: Python distributions, installed or as wheels, and the crates in its programs."""

import functools
import re
import subprocess
import tomllib
import zipfile
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.+)")
NOTICE = re.compile(r"^\W*(?:copyright\b|\(c\)).*\d{4}", re.IGNORECASE)
# How licence files call themselves, for a distribution whose metadata gives no name.
PHRASES = {"Modified BSD License": "BSD-3-Clause", "MIT License": "MIT", "Apache License": "Apache-2.0"}
LICENSE_FILE = re.compile(r"(?:^|/)(?:licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)


class Distribution:
    """One bundled Python distribution, installed or as a wheel."""

    def __init__(self, files, metadata, texts, where, wheel=None):
        self.files = files
        self.metadata = message_from_string(metadata)
        self.texts = texts
        self.where = where
        #: The wheel's path, or None for one that is installed.
        self.wheel = wheel

    @property
    def name(self):
        return self.metadata["Name"]

    @property
    def version(self):
        return self.metadata["Version"]

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
        raise SystemExit(f"error: `{self.name}` names no licence")

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
        return notices[:20] or [" ".join((who or f"the authors of {self.name}").split())]


def short_name(name):
    """`name` in the grammar of the copyright format: no blanks inside a name, `and` and `or` between."""
    words = re.split(r"\s+(AND|OR|and|or)\s+", name)
    words = [w.lower() if w.lower() in ("and", "or") else re.sub(r"[\s,]+", "-", re.sub(r"[()]", "", w)) for w in words]
    return " ".join(words)


def installed(root):
    """The distributions of the hub's environment."""
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
    """The distributions of the default user environment."""
    for wheel in sorted(root.glob("usr/lib/tljh-user-env/wheels/*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            metadata = next(n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            texts = {n: archive.read(n).decode(errors="replace")
                     for n in names if ".dist-info/" in n and LICENSE_FILE.search(n)}
            yield Distribution([str(wheel.relative_to(root))], archive.read(metadata).decode(), texts,
                               "inside that wheel", wheel)


def programs(root):
    """Paths of the programs that are made of crates of ours."""
    ours = {path.name for path in (PROJECT / "crates").iterdir()}
    found = [*root.glob("usr/bin/*"), *root.glob("usr/lib/tljh-*/*")]
    return sorted(path for path in found if path.name in ours and path.is_file())


@dataclass(eq=False)
class Crate:
    """One crate that a program contains."""

    name: str
    version: str
    licence: str
    #: Of the workspace, and published nowhere.
    ours: bool
    #: SHA-256 of what crates.io serves; None for ours.
    checksum: str | None
    needs: list = field(default_factory=list)


def crates(program):
    """{(name, version): Crate} of the program with that name, itself included; crates that only run while it is
    compiled are no part of it."""
    found = workspace_crates(program == "tljh-conda")
    chosen, waiting = {}, [next(crate for crate in found.values() if crate.ours and crate.name == program)]
    while waiting:
        crate = waiting.pop()
        if (crate.name, crate.version) not in chosen:
            chosen[crate.name, crate.version] = crate
            waiting += crate.needs
    return dict(sorted(chosen.items()))


@functools.cache
def workspace_crates(conda):
    """{(name, version): Crate} as programs.sh builds them: what is built at once has its features in common."""
    chosen = ["--package", "tljh-conda"] if conda else ["--workspace", "--exclude", "tljh-conda"]
    tree = subprocess.run(
        ["cargo", "tree", "--locked", *chosen, "--edges", "normal,no-proc-macro", "--prefix", "depth",
         "--format", "|{p}|{l}"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    locked = {(one["name"], one["version"]): one.get("checksum")
              for one in tomllib.loads((PROJECT / "Cargo.lock").read_text())["package"]}
    found, above = {}, []
    for line in filter(None, tree.splitlines()):
        depth, package, licence = line.split("|", 2)
        name, version, *path = package.split(" ")
        key = (name, version.removeprefix("v"))
        # cargo prints a crate's own needs once, and marks it after that.
        licence = re.sub(r"\s*/\s*", " OR ", licence.removesuffix(" (*)"))
        if not licence:
            raise SystemExit(f"error: the crate `{name}` names no licence")
        crate = found.setdefault(key, Crate(*key, licence, bool(path), locked[key]))
        del above[int(depth):]
        if above and crate not in above[-1].needs:
            above[-1].needs.append(crate)
        above.append(crate)
    return found
