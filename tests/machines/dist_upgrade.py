"""What administrators do for a release upgrade of Debian, by our page about it, and what has to be the same afterwards."""

import re

from .places import PROJECT

PAGE = PROJECT / "docs/upgrade.md"


def steps():
    """The commands of the page, in order, as root runs them unattended; the last one is the reboot."""
    section = re.search(r"^## To the next release of Debian$(.*?)^## ", PAGE.read_text(), re.M | re.S)[1]
    block = re.search(r"(?:^    sudo .*\n)+", section, re.M)[0]
    commands = re.findall(r"^    sudo (.*)$", block, re.M)
    return [re.sub(r"^apt ", "apt-get -q -y ", command) for command in commands]


def files_of(machine, folder):
    """Name, type, mode, owner, time and content of everything below `folder`."""
    named = machine.output(f"find {folder} -printf '%p %y %m %U:%G %T@ %l\\n' | sort")
    content = machine.output(f"find {folder} -type f -print0 | sort -z | xargs -0 sha256sum")
    return [*named.splitlines(), *content.splitlines()]


def accounts(machine):
    """Lines of the accounts and groups that the hub made."""
    return machine.output("getent passwd | grep ^jupyter- ; getent group | grep ^jupyter").splitlines()


def packages(machine):
    """Debian's packages: version and state by name."""
    lines = machine.output("dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def failed_units(machine):
    return machine.output("systemctl list-units --failed --plain --no-legend")
