"""What a conda package needs to know of a wheel."""

import base64
import configparser
import hashlib
import re
import zipfile
from email import message_from_bytes
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conda.cpython import PLACEHOLDER


class Wheel:
    """The wheel in the file `path`, for Python `python` (`3.11`)."""

    def __init__(self, path, python):
        self.path, self.python = Path(path), python
        with zipfile.ZipFile(path) as archive:
            # A file's mode is in the upper half of its attributes.
            self.members = {one.filename: (archive.read(one), one.external_attr >> 16 & 0o777)
                            for one in archive.infolist() if not one.is_dir()}
        self.info = next(name.split("/")[0] for name in self.members if re.match(r"[^/]+\.dist-info/METADATA$", name))
        self.metadata = message_from_bytes(self.members[f"{self.info}/METADATA"][0])
        self.name = normal(self.metadata["Name"])
        self.version = self.metadata["Version"]
        self.licence = self.metadata["License-Expression"] or "unknown"
        self.is_pure = b"Root-Is-Purelib: true" in self.members[f"{self.info}/WHEEL"][0]
        self.entry_points = self.read_entry_points()

    def read_entry_points(self):
        text = self.members.get(f"{self.info}/entry_points.txt", (b"", 0))[0].decode()
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str
        parser.read_string(text)
        if not parser.has_section("console_scripts"):
            return []
        return [f"{name} = {target.split('[')[0].strip()}" for name, target in parser["console_scripts"].items()]

    def python_depends(self):
        short = tuple(map(int, self.python.split(".")))
        if not self.is_pure:
            return [f"python >={self.python},<{short[0]}.{short[1] + 1}.0a0"]
        return [need("python", SpecifierSet(self.metadata["Requires-Python"] or ""))]

    def depends(self, wheels, extra=""):
        """The needs as conda writes them; those of extras among them, which conda does not know."""
        environment = {"python_version": self.python, "python_full_version": f"{self.python}.2", "os_name": "posix",
                       "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64",
                       "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": extra}
        found = []
        for text in self.metadata.get_all("Requires-Dist", []):
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate(environment):
                continue
            if extra and "extra" not in str(requirement.marker or ""):
                continue
            name = normal(requirement.name)
            if name == self.name:
                continue
            found.append(need(name, requirement.specifier))
            for wanted in sorted(requirement.extras):
                if name in wheels:
                    found += Wheel(wheels[name], self.python).depends(wheels, wanted)
        return list(dict.fromkeys(found))

    def files(self, site, scripts):
        """path -> content of all files, as they lie below the prefix; the RECORD is true there."""
        from tests.conda.channel import File

        found, record = {}, []
        for name, (content, mode) in self.members.items():
            if name == f"{self.info}/RECORD":
                continue
            top, _, rest = name.partition("/")
            kind, _, below = rest.partition("/")
            path, listed = f"{site}/{name}", name
            if top.endswith(".data"):
                if kind == "data":
                    path, listed = below, f"../../../{below}"
                elif kind == "scripts":
                    path, listed = f"{scripts}/{below}", f"../../../bin/{below}"
                    content = re.sub(rb"^#!pythonw?\b", f"#!{PLACEHOLDER}/bin/python".encode(), content)
                    mode = 0o755
                else:
                    path, listed = f"{site}/{below}", below
            found[path] = File(content, 0o755 if mode & 0o100 else 0o644)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{listed},sha256={digest},{len(content)}\n")
        found[f"{site}/{self.info}/INSTALLER"] = File(b"conda\n")
        for point in self.entry_points:
            record.append(f"../../../bin/{point.split(' = ')[0]},,\n")
        record += [f"{self.info}/INSTALLER,,\n", f"{self.info}/RECORD,,\n"]
        found[f"{site}/{self.info}/RECORD"] = File("".join(record).encode())
        return found

    def programs(self):
        """The entry points of a wheel that is not pure, for which no link.json is read."""
        from tests.conda.channel import File

        found = {}
        for point in self.entry_points:
            name, target = point.split(" = ")
            module, function = target.split(":")
            found[f"bin/{name}"] = File(
                f"#!{PLACEHOLDER}/bin/python\nimport sys\nfrom {module} import {function.split('.')[0]}\n"
                f"sys.exit({function}())\n".encode(), 0o755)
        return found


def need(name, specifiers):
    """A requirement in conda's words."""
    versions = []
    for one in sorted(specifiers, key=str):
        operator, version = one.operator, one.version
        if operator == "==" and version.endswith(".*"):
            operator = ""
        versions.append(f"{operator}{version}")
    return f"{name} {','.join(versions)}".strip()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()
