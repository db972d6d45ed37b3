"""What our packages leave on a disk that is not in use, to be compared with what another life of theirs left.

{path: (mode, owner and target of a link, hash of the content)}; numbers that count on are left out of the paths.
"""

import hashlib
import os
import re
import stat

FOLDERS = ("etc", "home", "opt/tljh", "usr/bin", "usr/lib/systemd/system", "var/lib/tljh", "var/lib/tljh-proxy",
           "var/lib/dpkg/info", "var/lib/systemd/linger")
# Of a shared folder, what is ours.
OURS = {"usr/bin": "tljh", "usr/lib/systemd/system": ("tljh", "jupyter"), "var/lib/dpkg/info": "tljh"}
# Large, and other tests' subject.
CLOSED = re.compile(r"^(opt/tljh/hub|opt/tljh/\.hub|opt/tljh/(generations|envs)/[^/]+|var/lib/tljh/backups/[^/]+)$")
NUMBERS = [(re.compile(r"((?:backups|generations|history|\.hub)/)\d+"), r"\1*")]
# Backups that tools make of what they change, what they had locked when they were killed, and caches.
IGNORED = re.compile(r"^etc/((passwd|group|shadow|gshadow|subuid|subgid)(-|\+|\.lock|\.\d+)|\.pwd\.lock|ld\.so\.cache)$|"
                     # What was being written by a program that was killed: gone when the package is configured an hour later.
                     r"/\.tljh-\w+$")


def take(root):
    found = {}
    for folder in FOLDERS:
        for top, folders, files in os.walk(root / folder):
            where = os.path.relpath(top, root)
            if CLOSED.match(where):
                folders.clear()
                continue
            for name in [*folders, *files]:
                path = f"{where}/{name}"
                if not IGNORED.search(path) and (where not in OURS or name.startswith(OURS[where])):
                    for pattern, text in NUMBERS:
                        path = pattern.sub(text, path)
                    found[path] = describe(os.path.join(top, name))
    return found


def describe(path):
    info = os.lstat(path)
    target = os.readlink(path) if stat.S_ISLNK(info.st_mode) else ""
    content = ""
    # A lock file says who had it last.
    if stat.S_ISREG(info.st_mode) and not path.endswith("lock"):
        with open(path, "rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    for pattern, text in NUMBERS:
        target = pattern.sub(text, target)
    return f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} {target}".strip(), content


def differences(before, wanted, found):
    """A line for each difference of `found` to `wanted`. A file that came to `wanted` unchanged from `before` has to be
    the same in `found`; of one that was written on the way, it is mode and owner."""
    lines = []
    for path in sorted(wanted.keys() | found.keys()):
        if path not in found:
            lines.append(f"{path}: missing")
        elif path not in wanted:
            lines.append(f"{path}: left over, {found[path][0]}")
        elif wanted[path][0] != found[path][0]:
            lines.append(f"{path}: {found[path][0]} in the place of {wanted[path][0]}")
        elif before.get(path) == wanted[path] != found[path]:
            lines.append(f"{path}: has another content")
    return lines
