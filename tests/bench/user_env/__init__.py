"""tljh-user-env on an installation of its own, on a new file system in a file below a folder on the disk.

Packages come from the index that uv and pip are told of on this machine; they are fetched once, before anything is
measured. There is no systemd below the folder, so what a service does on a machine after a change (bytecode, a copy of
the generation) is done apart, and does not count.
"""

import sys

from ..figures import missing, print_heading
from . import installing, making, sharing
from .installation import new_installation

PARTS = (making, installing, sharing)


def measure(program, bundle=None, parts=PARTS, folder="/var/tmp"):
    """Figures of `program` with the wheels and the uv in the folder `bundle`, by default the one of its package.

    Installations are made below `folder`.
    """
    bundle = bundle or program.parents[1] / "lib/tljh-user-env"
    figures = []
    for part in parts:
        title = part.__doc__.partition("\n")[0].rstrip(".")
        print_heading(f"User environment: {title}")
        try:
            with new_installation(program, bundle, folder) as installation:
                figures += part.measure(installation)
        except Exception as error:
            print(f"{title}: {error}", file=sys.stderr)
            figures.append(missing(f"user environment: {title}", error))
    return figures
