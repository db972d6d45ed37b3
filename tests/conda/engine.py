"""The program under test.

TLJH_CONDA names it, else the debug build is taken.
"""

import json
import os
import subprocess
from pathlib import Path

from tests.machines.places import PROJECT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
PROGRAM = Path(os.environ.get("TLJH_CONDA", TARGET / "debug" / "tljh-conda")).absolute()


class Refused(Exception):
    """The program's answer is a failure."""

    def __init__(self, error, stderr):
        super().__init__(json.dumps(error))
        self.kind, self.message, self.names = error["kind"], error["message"], error["names"]
        self.stderr = stderr


class Engine:
    """The program, with a cache of its own in `folder`."""

    def __init__(self, folder, channels=(), program=PROGRAM):
        self.folder, self.cache, self.program = folder, folder / "cache", program
        self.channels = list(channels)
        self.stderr = ""

    def start(self, command, **environment):
        return subprocess.Popen(
            [self.program, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "CONDA_OVERRIDE_CUDA": "", **environment},
        )

    def run(self, command, request, *options, **environment):
        """The answer; `Refused` if it is a failure."""
        process = self.start([command, *options], **environment)
        out, self.stderr = process.communicate(request if isinstance(request, str) else json.dumps(request), timeout=300)
        answer = json.loads(out)
        assert (process.returncode == 1) == ("error" in answer), (process.returncode, out, self.stderr)
        if "error" in answer:
            raise Refused(answer["error"], self.stderr)
        assert process.returncode == 0
        return answer

    def solve(self, *install, prefix=None, options=(), environment=None, **more):
        request = {"channels": self.channels, "cache": str(self.cache), "prefix": prefix and str(prefix),
                   "install": list(install), **more}
        return self.run("solve", request, *options, **(environment or {}))

    def link_request(self, prefix, packages, **more):
        more.setdefault("channels", [])
        return {"cache": str(self.cache), "prefix": str(prefix), "packages": packages, **more}

    def link(self, prefix, packages, options=(), **more):
        return self.run("link", self.link_request(prefix, packages, **more), *options)

    def make(self, prefix, *install, **more):
        """Solve and link; returns both answers."""
        solved = self.solve(*install, prefix=prefix, **more)
        return solved, self.link(prefix, solved["packages"])


def versions(prefix):
    """{name: version} of what a prefix holds."""
    records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    return {record["name"]: record["version"] for record in records}


def changes(answer):
    """{name: (before, after)} of a solved change."""
    return {step["name"]: (step["before"], step["after"]) for step in answer["steps"]}
