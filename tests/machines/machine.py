"""A booted Debian: systemd as PID 1, disk, network and process table of its own.

    with Machine("trixie") as machine:
        machine.boot()
        machine.run("systemctl status")

The disk is an overlay on a tree of `base`, in memory where there is enough; it goes when the machine goes.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from . import slots
from .base import ensure_base, mirrors
from .commands import BOOT, Commands
from .network import Wire
from .places import CACHE, keep_in_memory, unmount_below, wait_for
from .repository import DEBIAN_PORT

REBOOTED = 133


class Machine(Commands):
    """One throw-away machine; `layers` are the read-only trees of its disk, lowest first."""

    def __init__(self, suite, repository=None, offline=False, extra=(), layers=None, durable=False):
        """`durable`: as slow as a real disk about fsync, for those who measure time."""
        self.suite = suite
        self.durable = durable
        self.repository = repository
        self.layers = layers or [ensure_base(suite, extra)]
        self.slot = slots.take()
        self.name = f"tljh-{suite}-{self.slot.index}"
        self.wire = Wire(self.slot.index, offline)
        self.directory = CACHE / "machines" / str(self.slot.index)
        self.root = self.directory / "root"
        self.console = self.directory / "console.log"
        self.process = None
        self.leader = None
        try:
            self._make_disk()
            self.wire.up()
            if repository:
                repository.attach(self)
        except BaseException:
            self.destroy()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.destroy()

    @property
    def address(self):
        return self.wire.address

    @property
    def url(self):
        return f"http://{self.address}/"

    # Disk

    def _make_disk(self):
        # What a killed run with another TLJH_CACHE left, nobody else knows of.
        unmount_below(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        # apt and dpkg write and remove tens of thousands of small files.
        if not self.durable:
            keep_in_memory(self.directory)
        for part in ("upper", "work", "root"):
            (self.directory / part).mkdir(parents=True)
        self.mount()
        (self.root / "etc/hostname").write_text("classroom\n")
        hosts = "127.0.0.1 localhost\n127.0.1.1 classroom\n::1 localhost\n"
        if self.repository and not self.repository.local:
            hosts += f"{self.repository.address} {self.repository.host}\n"
        (self.root / "etc/hosts").write_text(hosts)
        shutil.copyfile("/etc/resolv.conf", self.root / "etc/resolv.conf")
        proxy = self.root / "etc/apt/apt.conf.d/01debian-cache"
        proxy.unlink(missing_ok=True)
        if self.repository and not self.wire.offline:
            hosts = {re.sub(r"^\w+://([^/:]+).*", r"\1", site) for site, _ in mirrors()}
            proxy.write_text("".join(
                f'Acquire::http::Proxy::{host} "http://{self.repository.address}:{DEBIAN_PORT}";\n'
                for host in sorted(hosts)
            ))

    def mount(self):
        lower = ":".join(str(layer) for layer in reversed(self.layers))
        # Without redirect_dir a rename of a directory fails, which no real disk does.
        options = (
            f"lowerdir={lower},upperdir={self.directory}/upper,"
            f"workdir={self.directory}/work,redirect_dir=on,index=off"
        )
        if not self.durable:
            # The host itself does not crash, and what it has in memory is what machines see.
            options += ",volatile"
        subprocess.run(
            ["mount", "-t", "overlay", self.name, "-o", options, self.root], check=True
        )

    def keep_disk(self, target):
        """Power off and keep what was written as a layer at `target`, for other machines."""
        self.poweroff()
        subprocess.run(["umount", self.root], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        # rename(2) does not leave the memory; mv keeps what an overlay notes in attributes and device nodes.
        subprocess.run(["mv", self.directory / "upper", target.with_name(target.name + ".partial")], check=True)
        target.with_name(target.name + ".partial").rename(target)

    # Life

    def boot(self, deadline=BOOT):
        """Start, and return when systemd has finished booting."""
        self._start()
        self.wait_booted(deadline)
        return self

    def _start(self):
        command = [
            "systemd-nspawn", "-q", "-D", self.root, "--boot", "-M", self.name,
            "--console=read-only", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            f"--network-namespace-path={self.wire.path}",
        ]
        if not Path("/run/systemd/system").is_dir():
            command += ["--register=no", "--keep-unit"]
        with open(self.console, "ab") as console:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                preexec_fn=self.slot.enter_cgroups, start_new_session=True,
            )
        self.slot.note_process(self.process.pid)
        self.leader = wait_for(self._find_leader, 20, f"leader of {self.name}", 0.02)

    def _find_leader(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.console.read_text(errors="replace")[-2000:])
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = task.read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        return None

    def reboot(self):
        """As `systemctl reboot` typed by the administrator; returns when it is up again."""
        self.run("systemctl --no-block reboot", check=False)
        code = self.process.wait(120)
        if code != REBOOTED:
            raise AssertionError(f"{self.name} ended with {code} instead of rebooting")
        self.boot()

    def cut_power(self):
        """Everything stops at once, as when the cable is pulled."""
        if self.leader:
            try:
                os.kill(self.leader, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait(60)
        self.process = self.leader = None

    def poweroff(self):
        if self.process:
            self.run("systemctl --no-block poweroff", check=False)
            self.process.wait(120)
        self.process = self.leader = None

    def destroy(self):
        """End the machine and remove its disk and network; safe to repeat."""
        try:
            if self.process and self.process.poll() is None:
                self.cut_power()
        finally:
            if self.repository:
                self.repository.detach(self)
            self.slot.clean()

    # Commands

    def command(self, command, user=None, environment=None):
        """The host's argument list that runs `command` (shell text or a list) inside."""
        return self.enter(self.words(command, user, environment))

    def enter(self, inside):
        """The host's argument list that runs `inside` inside."""
        if self.leader is None:
            # As builders of images do it: nothing is booted, but there is /proc and a network.
            return ["nsenter", f"--net={self.wire.path}", "--", "unshare", "--mount", "--pid",
                    "--fork", "--kill-child", "--mount-proc", f"--root={self.root}", "--", *inside]
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", *inside]

    def execute(self, words, input, timeout):
        return subprocess.run(
            self.enter(words),
            input=input, stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=timeout,
        )

    def start(self, command, user=None, environment=None, **popen):
        """As `run`, in the background; returns the Popen."""
        return subprocess.Popen(self.command(command, user, environment), **popen)
