"""Power cuts at moments that can be seen from inside."""

from patience import PATIENCE

# Somebody else's file, waited for: with it the file system writes down which files there are, whatever is in them.
OTHER = "echo > /var/tmp/other && sync /var/tmp/other"


def cut_once(machine, condition, command=None, may_end=False):
    """Begin `command` in the background, wait inside until `condition` (shell text) is true, and cut the power.

    Without a command the wait is for what runs by itself. AssertionError if the command has ended before, unless it
    `may_end`. Nothing reaches the disk in the meantime but what a program has waited for.
    """
    machine.keep_writes_back()
    running = machine.start(command) if command else None
    unless = f" || test ! -e /proc/{running.pid}" if running else ""
    machine.start(f"until {condition}{unless}; do sleep 0.1; done; {OTHER}").wait(PATIENCE, slowest=0.02)
    ended = running.poll() if running else None
    machine.cut_power()
    if ended and (ended.returncode or not may_end):
        raise AssertionError(
            f"`{command}` ended with {ended.returncode} before `{condition}`:\n"
            f"{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        )


def cut_after(machine, command):
    """Run `command`, and cut the power as soon as it has ended; what it printed."""
    machine.keep_writes_back()
    printed = machine.run(command, timeout=PATIENCE).stdout
    machine.cut_power()
    return printed
