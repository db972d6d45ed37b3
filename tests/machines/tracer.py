"""Follows the maintainer scripts of our packages step by step, and breaks one step.

    python3 -m tests.machines.tracer REQUEST ANSWER COMMAND...

runs COMMAND, in which dpkg runs scripts. A step is what changes the machine: a program that is started, or a file that is
made, written, renamed, removed or given another mode or owner; it is counted before the kernel does it, so that a kill at
one step is a kill after the step before. REQUEST is JSON:

    {"root": the folder that the command has as `/`, or "",
     "fault": null, or [kind, step, occurrence]}

A step is the list [script, program, what, path], where what varies from run to run is replaced by `*`. Kinds are `all`
(SIGKILL to everything), `script` (to the script and what it started) and `full` (from there on nothing of the script finds
space on the disk). ANSWER becomes {"steps": [[step, how often], ...] in order, "reached": whether the fault came to be,
"code": how COMMAND ended}. With a fault in it, other steps are not counted.
"""

import errno
import json
import os
import re
import signal
import sys

from . import ptrace
from .ptrace import ANY_BIT

NEW_FILE = os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)

# name: (number, condition, where the path stands); `@` a descriptor of a folder and a path, `/` a path, `>` a descriptor.
CALLS = {
    "exec": (59, None, "/0"), "execveat": (322, None, "@0"),
    "create": (2, (ANY_BIT, 1, NEW_FILE), "/0"), "creat": (85, None, "/0"), "createat": (257, (ANY_BIT, 2, NEW_FILE), "@0"),
    "openat2": (437, None, "@0"),
    "write": (1, None, ">0"), "pwrite": (18, None, ">0"), "writev": (20, None, ">0"), "pwritev": (296, None, ">0"),
    "sendfile": (40, None, ">0"), "copy": (326, None, ">2"), "fallocate": (285, None, ">0"),
    "truncate": (76, None, "/0"), "ftruncate": (77, None, ">0"), "fsync": (74, None, ">0"), "fdatasync": (75, None, ">0"),
    "rename": (82, None, "/1"), "renameat": (264, None, "@2"), "renameat2": (316, None, "@2"),
    "link": (86, None, "/1"), "linkat": (265, None, "@2"), "symlink": (88, None, "/1"), "symlinkat": (266, None, "@1"),
    "unlink": (87, None, "/0"), "unlinkat": (263, None, "@0"), "rmdir": (84, None, "/0"),
    "mkdir": (83, None, "/0"), "mkdirat": (258, None, "@0"), "mknod": (133, None, "/0"), "mknodat": (259, None, "@0"),
    "chmod": (90, None, "/0"), "fchmod": (91, None, ">0"), "fchmodat": (268, None, "@0"),
    "chown": (92, None, "/0"), "fchown": (93, None, ">0"), "lchown": (94, None, "/0"), "fchownat": (260, None, "@0"),
    "setxattr": (188, None, "/0"), "lsetxattr": (189, None, "/0"), "fsetxattr": (190, None, ">0"),
}
NAMES = {number: name for name, (number, _, _) in CALLS.items()}
# What needs space on a disk; a file that exists is opened without.
TAKES_SPACE = {"create", "creat", "createat", "write", "pwrite", "writev", "pwritev", "sendfile", "copy", "fallocate",
               "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat"}
OPENS = {"create", "creat", "createat"}
MAKES_FOLDER = {"mkdir", "mkdirat"}
NO_DISK = re.compile(r"/(proc|sys|dev|run)(/|$)")
NO_STEP = re.compile(r"/(proc|sys|dev)(/|$)")
# What differs from run to run: numbers, the random ends of temporary names, and the files of large folders, all of
# whose files are one step of each kind.
VARIES = [
    (re.compile(r"^(/opt/tljh/(?:(?:generations|envs)/[^/]+|user|\.hub)/|/home/[^/]+/).*"), r"\1*"),
    (re.compile(r"(/\.tljh-|/tmp\.|/\.tmp|/\.#[^/]*?)[^/]*"), r"\1*"),
    (re.compile(r"(__pycache__/).*"), r"\1*"),
    (re.compile(r"\d+"), "*"),
]
AT_FDCWD = -100


def is_ours(package):
    return package == "tljh" or package.startswith("tljh-")


class Tracer:
    def __init__(self, root, fault):
        self.root = root
        self.kind, self.broken, self.occurrence = fault or (None, None, 0)
        self.scripts = {}
        self.programs = {}
        self.held = set()
        self.steps = {}
        self.reached = False

    def run(self, command):
        """Runs `command` to its end; its exit code."""
        reading, writing = os.pipe()
        main = os.fork()
        if main == 0:
            os.close(writing)
            os.read(reading, 1)
            ptrace.stop_at(dict(CALLS[name][:2] for name in self.looked_at()))
            os.execvp(command[0], command)
        os.close(reading)
        self.scripts[main] = None
        ptrace.seize(main)
        os.close(writing)
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, ptrace.WALL)
            except ChildProcessError:
                return code
            if os.WIFSTOPPED(status):
                try:
                    self.handle(pid, status)
                except ptrace.Gone:
                    pass
            else:
                self.scripts.pop(pid, None)
                self.programs.pop(pid, None)
                if pid == main:
                    code = os.waitstatus_to_exitcode(status)

    def handle(self, pid, status):
        number, event = os.WSTOPSIG(status), status >> 16
        if pid not in self.scripts:
            # Its parent has not told of it yet.
            self.held.add(pid)
            return
        if event in (ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE):
            child = ptrace.event_message(pid)
            self.scripts[child] = self.scripts.get(pid)
            self.programs[child] = self.programs.get(pid)
            if child in self.held:
                self.held.discard(child)
                ptrace.ptrace(ptrace.CONT, child)
        elif event == ptrace.EVENT_EXEC:
            self.scripts[pid] = self.scripts.get(pid) or read_script(pid)
            self.programs[pid] = self.scripts[pid] and program(pid)
        elif event == ptrace.EVENT_SECCOMP:
            if self.scripts[pid]:
                self.look(ptrace.Call(pid))
        elif event == ptrace.EVENT_STOP:
            if number != signal.SIGTRAP:
                ptrace.ptrace(ptrace.LISTEN, pid)
                return
        else:
            ptrace.ptrace(ptrace.CONT, pid, 0, number)
            return
        ptrace.ptrace(ptrace.CONT, pid)

    def looked_at(self):
        """The calls that may be of interest. A purge removes tens of thousands of files, and to stop at each costs seconds."""
        if not self.broken:
            return CALLS
        return {self.broken[2], *(TAKES_SPACE if self.kind == "full" else ())}

    def look(self, call):
        """Counts a step, and breaks it if it is the one."""
        what = NAMES[call.number]
        path = self.path(call, CALLS[what][2])
        if not path.startswith("/") or NO_STEP.match(path):
            return
        exists = os.path.lexists(f"/proc/{call.pid}/root{path}")
        # A program looked for along PATH; a folder that is there.
        if (what == "exec" and not exists) or (what in MAKES_FOLDER and exists):
            return
        takes_space = what in TAKES_SPACE and not NO_DISK.match(path) and not (what in OPENS and exists)
        if self.reached and self.kind == "full" and takes_space:
            call.fail(errno.ENOSPC)
            return
        step = (self.scripts[call.pid], self.programs[call.pid], what, stable(path))
        self.steps.setdefault(step, [0, takes_space])[0] += 1
        if self.reached or list(step) != self.broken or self.steps[step][0] != self.occurrence:
            return
        self.reached = True
        if self.kind == "full":
            call.fail(errno.ENOSPC)
            return
        for pid, script in list(self.scripts.items()):
            if script or self.kind == "all":
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        raise ptrace.Gone(call.pid)

    def path(self, call, where):
        kind, index = where[0], int(where[1])
        if kind == ">":
            path = link(f"/proc/{call.pid}/fd/{call.arguments[index]}")
        else:
            path = read_text(call.pid, call.arguments[index + (kind == "@")])
            if not path.startswith("/"):
                folder = as_int(call.arguments[index]) if kind == "@" else AT_FDCWD
                base = link(f"/proc/{call.pid}/cwd" if folder == AT_FDCWD else f"/proc/{call.pid}/fd/{folder}")
                path = os.path.normpath(f"{base}/{path}") if base.startswith("/") else base
        return path.removeprefix(self.root) if self.root else path


def as_int(value):
    """An int of C in the lower half of a register."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def program(pid):
    return os.path.basename(link(f"/proc/{pid}/exe")).removesuffix(" (deleted)")


def stable(path):
    for pattern, text in VARIES:
        path = pattern.sub(text, path)
    return path


def read_text(pid, address):
    """The string of C at `address`."""
    found = b""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        while b"\0" not in found and len(found) < 4096:
            # No further than the page, the next may not be there.
            piece = os.pread(memory.fileno(), 4096 - (address + len(found)) % 4096, address + len(found))
            if not piece:
                break
            found += piece
    return os.fsdecode(found.split(b"\0")[0])


def read_script(pid):
    """`package script argument` if the program that was just started is a maintainer script of ours."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as handle:
            environment = dict(pair.partition("=")[::2] for pair in os.fsdecode(handle.read()).split("\0"))
        with open(f"/proc/{pid}/cmdline", "rb") as handle:
            words = os.fsdecode(handle.read()).split("\0")
    except OSError:
        return None
    package, name = environment.get("DPKG_MAINTSCRIPT_PACKAGE", ""), environment.get("DPKG_MAINTSCRIPT_NAME", "")
    for index, word in enumerate(words):
        called = os.path.basename(word)
        if is_ours(package) and called in (name, f"{package}.{name}"):
            return f"{package} {name} {words[index + 1]}"
        # dpkg-preconfigure(8) runs it before dpkg does anything, from a file with a random end.
        config = re.fullmatch(r"(tljh[a-z-]*)\.config\.\w+", called)
        if config:
            return f"{config[1]} config {words[index + 1]}"
    return None


def main(request, answer, command):
    asked = json.loads(request)
    tracer = Tracer(asked["root"], asked["fault"])
    code = tracer.run(command)
    with open(answer, "w") as handle:
        json.dump({
            "steps": [[*step, count, space] for step, (count, space) in tracer.steps.items()],
            "reached": tracer.reached, "code": code,
        }, handle)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
