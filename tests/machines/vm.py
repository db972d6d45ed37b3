"""A virtual machine: a kernel, memory and a disk of its own, which containers do not have.

    with Vm("bookworm", layers=layers) as machine:
        machine.boot()
        machine.run("sync")
        machine.cut_power()
        machine.boot()

QEMU emulates it, so that everything takes ten times as long as in a container.
"""

import shutil
import subprocess

from . import image, slots
from .agent import Agent
from .base import ensure_base
from .commands import Commands
from .network import Wire
from .places import CACHE, keep_in_memory, unmount_below, wait_for

# MiB; what TLJH promises to be enough.
MEMORY = 768
# Seconds that a boot may take where QEMU has half a busy core.
BOOT = 300
# Ports inside that the machine's address has too.
PORTS = (80, 443)
# The name by which the guest knows the port of the agent.
PORT = "org.qemu.guest_agent.0"


class Vm(Commands):
    """One throw-away machine with `memory` MiB; `layers` are the read-only trees of its disk, lowest first."""

    def __init__(self, suite, layers=None, memory=MEMORY, offline=True):
        self.suite, self.memory = suite, memory
        self.layers = layers or [ensure_base(suite, image.PACKAGES)]
        self.slot = slots.take()
        self.name = f"tljh-{suite}-{self.slot.index}"
        self.wire = Wire(self.slot.index, offline)
        self.directory = CACHE / "machines" / str(self.slot.index)
        self.console = self.directory / "console.log"
        self.disk = self.directory / "disk.qcow2"
        self.agent = Agent(self.directory / "agent")
        self.process = None
        try:
            unmount_below(self.directory)
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.mkdir(parents=True)
            # Each flush of a guest's is one of the host's else, and dpkg flushes for every file.
            keep_in_memory(self.directory)
            image.make_copy(image.ensure_image(self.layers), self.disk)
            self.wire.up()
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
    def host(self):
        """The host's address, as the machine reaches it."""
        return self.wire.host

    @property
    def url(self):
        return f"http://{self.address}/"

    # Life

    def boot(self, without=()):
        """Switch on, and return when systemd has finished booting, without the units that are named `without`."""
        self._start(without)
        self.wait_booted()
        return self

    def _start(self, without=()):
        with open(self.console, "ab") as console:
            self.process = subprocess.Popen(
                ["nsenter", f"--net={self.wire.path}", "--", "qemu-system-x86_64", *self._options(without)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )
        self.slot.note_process(self.process.pid)

    def _options(self, without):
        kernel, initrd = image.kernel_of(self.layers[0])
        forwarded = "".join(f",hostfwd=tcp:{self.address}:{port}-:{port}" for port in PORTS)
        return [
            "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2",
            "-m", str(self.memory),
            "-kernel", kernel, "-initrd", initrd,
            "-append", " ".join([
                "root=/dev/vda rw console=ttyS0 quiet mitigations=off", *(f"systemd.mask={unit}" for unit in without),
            ]),
            # What the guest has not flushed may be lost with QEMU, as with a disk's own cache.
            "-drive", f"file={self.disk},format=qcow2,if=virtio,cache=writeback",
            "-netdev", f"user,id=wire{forwarded}", "-device", "virtio-net-pci,netdev=wire",
            "-device", "virtio-rng-pci",
            "-serial", f"file:{self.console}",
            "-chardev", f"socket,id=agent,path={self.agent.path},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={PORT}",
        ]

    def wait_booted(self, deadline=BOOT):
        wait_for(self._answers, deadline, f"agent of {self.name}", 0.5)
        self.agent.begin()
        super().wait_booted(deadline)

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.console.read_text(errors="replace")[-2000:])
        return self.agent.begin(patience=5)

    def reboot(self):
        """As `systemctl reboot` typed by the administrator; returns when it is up again."""
        before = self._boot_id()
        self.start("systemctl --no-block reboot")
        wait_for(lambda: self._answers() and self._boot_id() != before, BOOT, f"reboot of {self.name}", 0.5)
        self.wait_booted()

    def _boot_id(self):
        return self.output("cat /proc/sys/kernel/random/boot_id", timeout=20)

    def keep_writes_back(self):
        """From now on, until the next boot, nothing reaches the disk but what a program waits for."""
        self.run(
            "sysctl -q vm.dirty_writeback_centisecs=0 vm.dirty_expire_centisecs=360000"
            " && mount -o remount,commit=3600 /"
        )

    def cut_power(self):
        """Everything stops at once, as when the cable is pulled; the disk has what was flushed to it."""
        if self.process:
            self.process.kill()
            self.process.wait(60)
        self.agent.close()
        self.process = None

    def poweroff(self):
        if self.process:
            self.start("systemctl --no-block poweroff")
            self.process.wait(BOOT)
        self.agent.close()
        self.process = None

    def destroy(self):
        """End the machine and remove its disk and network; safe to repeat."""
        try:
            self.cut_power()
        finally:
            self.slot.clean()

    # Commands

    def start(self, command, user=None, environment=None):
        """As `run`, in the background; returns an agent.Running."""
        return self.agent.start(self.words(command, user, environment))

    def execute(self, words, input, timeout):
        return self.agent.start(words, input).wait(timeout)
