"""A conda channel of real packages, in both formats, with the index that conda reads.

`Channel(folder).add(...)` makes a package from files, `add_wheel` one from a wheel, `add_python` CPython itself;
`write_index` comes last. `bundle_channel()` is the project's own bundle as a channel, made once.
"""

import bz2
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import zstandard

from tests.conda.cpython import PLACEHOLDER, own_suite, staged
from tests.conda.wheel import Wheel
from tests.machines.places import CACHE, PROJECT, locked

# Later than anything that tests compare with: modules have the age of their package.
TIMESTAMP = 1704067200
ARCH = "linux-64"


class Link:
    """A symbolic link."""

    def __init__(self, target):
        self.target = target


class File:
    """A file that runs, or one into which the prefix is written; `content` may be a path."""

    def __init__(self, content, mode=0o644):
        self.content, self.mode = content, mode

    def read(self):
        content = self.content
        return content.read_bytes() if isinstance(content, Path) else content


class Channel:
    """The channel in `folder`, whose packages of an earlier instance stay."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.records = {}
        for subdir in ("noarch", ARCH):
            (self.folder / subdir).mkdir(parents=True, exist_ok=True)
            kept = self.folder / subdir / "repodata.json"
            index = json.loads(kept.read_text()) if kept.exists() else {}
            self.records[subdir] = {**index.get("packages", {}), **index.get("packages.conda", {})}

    @property
    def url(self):
        return self.folder.as_uri()

    def add(self, name, version, files=None, *, build="0", number=0, depends=(), constrains=(), noarch=None,
            entry_points=(), archive="conda", **more):
        """Make a package; returns its file. `files`: path -> bytes, text, `File` or `Link`.

        `PLACEHOLDER` in a file is where the prefix will be written. `noarch`: `python` (paths below `site-packages`
        and `python-scripts`), `generic`, or None for this sort of machine.
        """
        subdir = "noarch" if noarch else ARCH
        stem = f"{name}-{version}-{build}"
        files = {path: as_file(content) for path, content in sorted((files or {}).items())}
        index = {"name": name, "version": str(version), "build": build, "build_number": number,
                 "depends": list(depends), "constrains": list(constrains), "subdir": subdir,
                 "timestamp": TIMESTAMP * 1000, "license": "MIT", **more}
        index |= {"noarch": noarch} if noarch else {"arch": "x86_64", "platform": "linux"}
        info = {"index.json": index, "about.json": {"summary": f"{name} for tests"},
                "paths.json": {"paths": [describe(path, file) for path, file in files.items()], "paths_version": 1}}
        if noarch == "python":
            info["link.json"] = {"noarch": {"type": "python", "entry_points": list(entry_points)},
                                 "package_metadata_version": 1}
        info = {f"info/{path}": File(json.dumps(content).encode()) for path, content in info.items()}
        info["info/files"] = File("".join(f"{path}\n" for path in files).encode())
        target = self.folder / subdir / f"{stem}.{archive}"
        target.write_bytes(pack_conda(stem, info, files) if archive == "conda" else bz2.compress(tar({**info, **files}), 1))
        self.record(target, index)
        return target

    def record(self, target, index):
        """Take the package in the file `target` into the index."""
        content = target.read_bytes()
        self.records[index["subdir"]][target.name] = {
            **index, "size": len(content), "md5": hashlib.md5(content).hexdigest(),
            "sha256": hashlib.sha256(content).hexdigest()}

    def add_module(self, name, version, depends=(), **more):
        """A small package of Python whose module `name` knows its VERSION."""
        module = name.replace("-", "_")
        return self.add(name, version, {f"site-packages/{module}/__init__.py": f"VERSION = {version!r}\n"},
                        depends=("python", *depends), noarch="python", **more)

    def add_wheel(self, wheel, python, extras=None):
        """A wheel as a package: `noarch: python` if it is pure, else one for this sort of machine."""
        one = Wheel(wheel, python)
        depends = [*one.python_depends(), *one.depends(extras or {})]
        if one.is_pure:
            return self.add(one.name, one.version, one.files("site-packages", "python-scripts"), build="py_0",
                            depends=depends, noarch="python", entry_points=one.entry_points, license=one.licence)
        short = f"lib/python{python}/site-packages"
        return self.add(one.name, one.version, {**one.files(short, "bin"), **one.programs()},
                        build=f"py{python.replace('.', '')}_0", depends=depends, license=one.licence)

    def add_python(self, suite=None):
        """CPython; returns its version."""
        version, kept = staged(suite)
        root = kept / PLACEHOLDER.lstrip("/")
        files = {}
        for path in sorted(root.rglob("*")):
            relative = str(path.relative_to(root))
            if path.is_symlink():
                files[relative] = Link(path.readlink())
            elif path.is_file():
                files[relative] = File(path, path.stat().st_mode & 0o777)
        files["bin/python"] = Link("python3")
        self.add("python", version, files, build="0_cpython", depends=["__glibc >=2.17"])
        return version

    def write_index(self):
        """Write `repodata.json` and its compressed sibling, as `conda index` does."""
        for subdir, records in self.records.items():
            kinds = {"packages": ".tar.bz2", "packages.conda": ".conda"}
            index = {"info": {"subdir": subdir}, "removed": [], "repodata_version": 1}
            for kind, ending in kinds.items():
                index[kind] = {name: record for name, record in sorted(records.items()) if name.endswith(ending)}
            content = json.dumps(index).encode()
            for name, text in {"repodata.json": content, "repodata.json.zst": zstandard.compress(content)}.items():
                # Not in place: the folder may be a hard-linked copy of a channel that is kept.
                new = self.folder / subdir / f".{name}"
                new.write_bytes(text)
                new.rename(self.folder / subdir / name)
        return self


def as_file(content):
    if isinstance(content, str):
        content = content.encode()
    return content if isinstance(content, (File, Link)) else File(content)


def describe(path, file):
    """The entry of `info/paths.json`."""
    if isinstance(file, Link):
        return {"_path": path, "path_type": "softlink", "size_in_bytes": 0,
                "sha256": hashlib.sha256(str(file.target).encode()).hexdigest()}
    content = file.read()
    entry = {"_path": path, "path_type": "hardlink", "size_in_bytes": len(content),
             "sha256": hashlib.sha256(content).hexdigest()}
    if PLACEHOLDER.encode() in content:
        entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "binary" if b"\0" in content else "text"}
    return entry


def tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, file in files.items():
            member = tarfile.TarInfo(path)
            member.mtime = TIMESTAMP
            if isinstance(file, Link):
                member.type, member.linkname = tarfile.SYMTYPE, str(file.target)
                archive.addfile(member)
                continue
            content = file.read()
            member.size, member.mode = len(content), file.mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def pack_conda(stem, info, files):
    """The `.conda` format: a ZIP archive, itself not compressed, of two that are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{stem}.tar.zst", zstandard.compress(tar(files), 3))
        archive.writestr(f"info-{stem}.tar.zst", zstandard.compress(tar(info), 3))
    return buffer.getvalue()


def large_channel(names=1250, wanted=200):
    """The folder of a channel of four versions each of `names` packages. `p0` comes with `wanted` packages, itself
    included, the others in their third version. Not to be written to."""
    with locked("conda-channel"):
        key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
        kept = CACHE / "conda-channel" / f"large-{names}-{wanted}-{key}"
        if kept.is_dir():
            return kept
        new = kept.with_name(f".{kept.name}")
        shutil.rmtree(new, ignore_errors=True)
        channel = Channel(new)
        for number in range(names):
            # Trees of `wanted` packages, each the need of another.
            first = number // wanted * wanted
            needs = [first + 2 * (number - first) + more for more in (1, 2)]
            needs = [need for need in needs if need < min(first + wanted, names)]
            for version in range(1, 5):
                text = f"package {number} {version} ".encode()
                files = {f"lib/p{number}/{part}": text * 50 + bytes([part]) * 2000 for part in range(30)}
                files[f"bin/p{number}"] = File(f"#!{PLACEHOLDER}/bin/python\n".encode(), 0o755)
                # What others need is held below the newest, so that there is something to choose.
                depends = [f"p{need} >={min(version, 2)},<4" for need in needs]
                channel.add(f"p{number}", f"{version}.0", files, depends=[*depends, "__glibc >=2.17"])
        channel.write_index()
        new.rename(kept)
        return kept


def bundle_channel(suite=None):
    """The folder of a channel with CPython and every wheel of the default user environment; not to be written to."""
    suite = suite or own_suite()
    with locked("conda-channel"):
        version, _ = staged(suite)
        python = ".".join(version.split(".")[:2])
        bundle = Path(subprocess.run([PROJECT / "packaging/environments.sh", own_suite()], check=True,
                                     capture_output=True, text=True).stdout.strip())
        ours = [Path(__file__), Path(__file__).with_name("wheel.py"), Path(__file__).with_name("cpython.py")]
        key = hashlib.sha256(b"".join([bundle.name.encode(), version.encode(), *(path.read_bytes() for path in ours)]))
        kept = CACHE / "conda-channel" / key.hexdigest()[:16]
        if kept.is_dir():
            return kept
        new = kept.with_name(f".{kept.name}")
        shutil.rmtree(new, ignore_errors=True)
        channel = Channel(new)
        channel.add_python(suite)
        wheels = sorted((bundle / "wheels").glob("*.whl"))
        extras = {}
        for path in wheels:
            extras[Wheel(path, python).name] = path
        for path in wheels:
            channel.add_wheel(path, python, extras)
        channel.write_index()
        new.rename(kept)
        return kept
