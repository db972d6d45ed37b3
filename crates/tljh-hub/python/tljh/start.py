"""``python -m tljh.start``: JupyterHub, a little earlier."""

import gc
import sys


def main():
    # What is imported stays; to look for garbage in it takes an eighth of the start.
    gc.disable()
    from tljh import hub

    gc.freeze()
    gc.enable()
    hub.main()


if __name__ == "__main__":
    sys.exit(main())
