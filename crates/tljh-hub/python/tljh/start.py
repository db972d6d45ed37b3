"""``python -m tljh.start``: JupyterHub, a little earlier."""

import gc
import os
import sys


def main():
    # What is imported stays; to look for garbage in it takes an eighth of the start.
    gc.disable()
    from tljh import hub

    gc.freeze()
    gc.enable()
    wait_for_migration()
    hub.main()


def wait_for_migration():
    """Until the child to which `tljh-hub run` has left the state is done; it says itself what it could not do."""
    child = os.environ.pop("TLJH_MIGRATION", None)
    if child and os.waitpid(int(child), 0)[1] != 0:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
