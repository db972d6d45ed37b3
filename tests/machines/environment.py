"""The user environment of a machine, as it lies on its disk."""

GENERATIONS = "/opt/tljh/generations"


def active(machine):
    """The number of the active generation."""
    return int(machine.output("readlink /opt/tljh/user").removeprefix("generations/"))


def wait_until_settled(machine, deadline=300):
    """Until what follows a change beside the lesson, bytecode and a copy, is done."""
    machine.wait_for(f"test ! -e {GENERATIONS}/.unsettled && test ! -e {GENERATIONS}/.settling", deadline)
