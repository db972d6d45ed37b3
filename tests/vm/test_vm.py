"""The virtual machines themselves."""

from pathlib import Path

from tests.machines.places import wait_for
from tests.machines.vm import Vm


def test_nothing_of_a_virtual_machine_is_left(suite, layers):
    with Vm(suite, layers) as machine:
        machine._start()
        wait_for(machine.console.exists)
        pid, directory, wire = machine.process.pid, machine.directory, machine.wire
        assert Path(f"/proc/{pid}/comm").read_text().startswith(("nsenter", "qemu"))
    assert not Path(f"/proc/{pid}").exists()
    assert not directory.exists()
    assert not Path(wire.path).exists()
