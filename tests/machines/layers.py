"""Trees for machines on which tljh is installed: made once for each build of the packages, outside the checkout."""

import zlib

from .base import ensure_base
from .install import add_repository, install, wait_for_login_page
from .machine import Machine
from .places import CACHE, ensure_kept


def installed_layers(suite, repository, packages="tljh", extra=()):
    """The layers of a disk with the repository's newest tljh, or with `packages` as apt takes them, and with Debian's
    packages `extra`; installed once and kept.
    """
    base = ensure_base(suite, extra)
    chosen = "" if packages == "tljh" else f"-{zlib.crc32(packages.encode()):08x}"

    def make(layer):
        with Machine(suite, repository, extra=extra) as machine:
            machine.boot()
            add_repository(machine)
            install(machine, packages)
            wait_for_login_page(machine)
            # Without its bytecode each server and kernel of the tests would compile JupyterLab again.
            machine.run("systemctl start tljh-user-env-compile", timeout=600)
            machine.keep_disk(layer)

    kept = CACHE / "installed" / f"{base.name}-{repository.digest(suite)}{chosen}"
    return [base, ensure_kept(kept, suite, make)]
