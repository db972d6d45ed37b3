"""The same sources, built again by another builder: what differs, and what is the same in both builds.

    folders     checkout, cache, target, CARGO_HOME, toolchain, HOME, TMPDIR
    time        packed 400 days later, the rest as much later as it is; sources of 2001
    locale      Turkish letters, a time zone 14 hours ahead, umask 077
    user        packed by root of a user namespace, who is user 100000 outside; what is made in a chroot is made by root
    machine     another name of the host

Nothing that the first build made is used: no program, environment, wheel or package. The same are the sources, the
public key, version and address of the repository, Debian's packages, and cargo-deb.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.machines.places import CACHE, DIST, PROJECT, unmount_below, wait_for

OUTSIDE = 100000
LOCALE = "tr_TR"
# cargo and rustc bring an allocator of their own, which waits for itself where libfaketime is loaded.
AT_ITS_OWN_TIME = """#!/bin/sh
unset LD_PRELOAD FAKETIME
exec {} "$@"
"""


def later():
    """What a program needs to be told another date than today's."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return {"LD_PRELOAD": str(library), "FAKETIME": "+400d", "NO_FAKE_STAT": "1"}


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def first_build(suite):
    """{package: path} of what `make debs` left in dist."""
    return {path.name.split("_")[0]: path for path in sorted((DIST / "debs" / suite).glob("*.deb"))}


def inputs_of_the_first_build(suite, folder):
    """What else went into the packages in dist, as settings for debs.sh."""
    debs = first_build(suite)
    keyring = folder / "keyring.gpg"
    tree = subprocess.run(["dpkg-deb", "--fsys-tarfile", debs["tljh-archive-keyring"]], capture_output=True, check=True).stdout

    def read(path):
        return subprocess.run(["tar", "-xO", f"./{path}"], input=tree, capture_output=True, check=True).stdout

    keyring.write_bytes(read("usr/share/keyrings/tljh-archive-keyring.gpg"))
    sources = read("usr/share/tljh-archive-keyring/tljh.sources").decode()
    version = run("dpkg-deb", "--field", debs["tljh"], "Version").strip()
    return {
        "TLJH_KEYRING": str(keyring),
        "REPO_URL": re.search(r"^URIs: (.*)$", sources, re.MULTILINE)[1],
        "VERSION": re.sub(r"\+deb\d+$", "", version),
    }


def copy_checkout(target):
    """What git knows and what it does not ignore, as it is now, dated 2001."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=PROJECT)
    for name in filter(None, listed.split("\0")):
        source = PROJECT / name
        if source.is_symlink() or source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    run("find", target, "-exec", "touch", "--no-dereference", "--date=2001-02-03", "{}", "+")


class Elsewhere:
    """The second build, in a folder of its own that goes with it."""

    def __init__(self, suites):
        self.suites = suites
        self.place = Path(tempfile.mkdtemp(prefix="tljh-elsewhere-", dir="/var/tmp"))
        self.place.chmod(0o755)
        self.checkout = self.place / "somewhere/else"
        self.cache = self.place / "kept"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        # A build that was killed leaves its mounts.
        unmount_below(self.place)
        shutil.rmtree(self.place)

    def environment(self):
        return {
            **os.environ, "PATH": f"{self.place}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.place / "home"),
            "USER": "somebody", "LOGNAME": "somebody", "TMPDIR": str(self.place / "tmp"), "TZ": "Pacific/Kiritimati",
            "LOCPATH": str(self.place / "locales"), "LC_ALL": f"{LOCALE}.UTF-8", "LANG": f"{LOCALE}.UTF-8",
            "TLJH_CACHE": str(self.cache), "CARGO_TARGET_DIR": str(self.place / "made"),
            "CARGO_HOME": str(self.place / "crates"),
        }

    def prepare(self):
        copy_checkout(self.checkout)
        for name in ("bin", "home", "tmp", "locales", "toolchain"):
            (self.place / name).mkdir()
        run("localedef", "--no-archive", "-i", LOCALE, "-f", "UTF-8", self.place / "locales" / f"{LOCALE}.UTF-8")
        for name in ("cargo", "rustc"):
            write_program(self.place / "bin" / name, AT_ITS_OWN_TIME.format(self.place / "toolchain/bin" / name))
        (self.cache / "tools/bin").mkdir(parents=True)
        shutil.copy2(CACHE / "tools/bin/cargo-deb", self.cache / "tools/bin")
        # Sources as crates.io serves them; cargo opens them anew.
        known = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
        for name in ("cache", "index"):
            if (known / name).is_dir():
                shutil.copytree(known / name, self.place / "crates/registry" / name)

    def build(self):
        """First programs and environments, whose chroots take root; then the packages, by somebody else at another time."""
        self.prepare()
        environment = self.environment()
        for command in (["programs.sh"], *(["environments.sh", suite] for suite in self.suites)):
            run(*self.with_toolchain(), "sh", "-c", 'umask 077; exec "$@"', "sh",
                self.checkout / "packaging" / command[0], *command[1:], env=environment)
        for name in ("somewhere", "bin", "home", "tmp", "crates", "made"):
            run("chown", "--recursive", "--no-dereference", f"{OUTSIDE}:{OUTSIDE}", self.place / name)
        # Not what is in them: the systems in build-root, and the environments.
        kept = [self.cache, *self.cache.iterdir(), *self.cache.glob("build-root/*.lock")]
        run("chown", f"{OUTSIDE}:{OUTSIDE}", self.place, *kept)
        for suite in self.suites:
            self.run_as_somebody_else(
                self.checkout / "packaging/debs.sh",
                environment={**environment, **inputs_of_the_first_build(suite, self.place), "SUITES": suite, **later()},
            )

    def with_toolchain(self):
        """The beginning of a command that finds Rust in its place there: a mount by root, which goes with its namespace."""
        toolchain = run("rustc", "--print", "sysroot").strip()
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh",
                toolchain, self.place / "toolchain"]

    def run_as_somebody_else(self, *command, environment):
        holder = subprocess.Popen(["unshare", "--user", "cat"], stdin=subprocess.PIPE)
        try:
            own = os.readlink("/proc/self/ns/user")
            wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/user") != own, 10, "a user namespace", 0.02)
            for ids in ("uid_map", "gid_map"):
                Path(f"/proc/{holder.pid}/{ids}").write_text(f"0 {OUTSIDE} 65536\n")
            # All processes go with their namespace.
            run(*self.with_toolchain(), "nsenter", f"--user=/proc/{holder.pid}/ns/user", "--setuid=0", "--setgid=0",
                "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts",
                "sh", "-c", 'hostname elsewhere; umask 077; exec "$@"', "sh",
                "env", *(f"{name}={value}" for name, value in environment.items()), *command)
        finally:
            holder.stdin.close()
            holder.wait()

    def debs(self, suite):
        """{package: path} of the second build."""
        return {path.name.split("_")[0]: path for path in sorted((self.checkout / "dist/debs" / suite).glob("*.deb"))}
