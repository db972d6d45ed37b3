"""Everything that a machine consists of, so that two moments can be compared.

`take(machine)` runs a script inside and returns {section: {item: value}};
`differences(before, after)` lists what changed as lines `section item: old -> new`.
"""

import json
import re

SCRIPT = r'''
import grp, hashlib, json, os, pwd, stat, subprocess, sys

SKIPPED = {"/proc", "/sys", "/dev"}

def text(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return done.stdout

def content(path, size):
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]

def describe(path):
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    owner = f"{info.st_uid}:{info.st_gid}"
    extra = ""
    if kind == stat.S_IFLNK:
        extra = os.readlink(path)
    elif kind == stat.S_IFREG:
        extra = content(path, info.st_size)
    acl = [name for name in os.listxattr(path, follow_symlinks=False) if "acl" in name]
    return f"{stat.filemode(info.st_mode)} {owner} {extra} {' '.join(acl)}".strip()

def paths():
    found = {}
    for top, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(top, f) not in SKIPPED]
        for name in [*folders, *files]:
            path = os.path.join(top, name)
            try:
                found[path] = describe(path)
            except FileNotFoundError:
                pass
    return found

def lines(name):
    try:
        with open(name) as handle:
            return {line.split(":")[0]: line.strip() for line in handle}
    except FileNotFoundError:
        return {}

def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as handle:
                words = handle.read().replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words and int(pid) not in (os.getpid(), os.getppid()):
            found[words] = "running"
    return found

def table(output):
    return {line.split()[0]: " ".join(line.split()[1:]) for line in output.splitlines() if line.split()}

def sockets():
    return {" ".join((w[0], w[4])): "listening" for w in map(str.split, text("ss", "-Hlntu").splitlines())}

def units():
    active = table(text("systemctl", "list-units", "--all", "--plain", "--no-legend", "--full"))
    return {name: value for name, value in active.items()
            if not name.endswith((".device", ".scope"))}

everything = {
    "path": paths(),
    **{name: lines(f"/etc/{name}") for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")},
    "unit-file": table(text("systemctl", "list-unit-files", "--no-legend", "--full")),
    "unit": units(),
    "sudo": {line: "" for line in text("sudo", "-n", "cat", "/etc/sudoers").splitlines()},
    "debconf": {line: "" for line in text("debconf-show", "--listowners").splitlines()},
    "socket": sockets(),
    "process": processes(),
    "package": table(text("dpkg-query", "-W", "-f", "${Package} ${Status} ${Version}\n")),
    "alternative": table(text("update-alternatives", "--get-selections")),
}
json.dump(everything, sys.stdout)
'''


def take(machine):
    """The inventory of `machine`, now."""
    return json.loads(machine.run(["python3", "-"], input=SCRIPT, timeout=300).stdout)


def differences(before, after):
    """One line for each item that came, went or changed."""
    found = []
    for section in sorted(after):
        old, new = before[section], after[section]
        for item in sorted(old.keys() | new.keys()):
            if item not in new:
                found.append(f"{section} {item}: gone, was {old[item]}")
            elif item not in old:
                found.append(f"{section} {item}: new, {new[item]}")
            elif old[item] != new[item]:
                found.append(f"{section} {item}: {old[item]} -> {new[item]}")
    return found


def unexpected(found, allowed):
    """The lines of `found` that match no pattern of `allowed`, a list of (pattern, reason)."""
    patterns = [re.compile(pattern) for pattern, _ in allowed]
    return [line for line in found if not any(p.match(line) for p in patterns)]
