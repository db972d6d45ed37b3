"""File systems of their own, in a file."""

import os
import subprocess
from contextlib import contextmanager


@contextmanager
def new_file_system(image, size, make, root):
    """A file system of `size` bytes in the file `image`, made by the command `make` and mounted at `root`."""
    image.touch()
    os.truncate(image, size)
    subprocess.run([*make, image], check=True)
    subprocess.run(["mount", "-o", "loop", image, root], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", root], check=True)
        image.unlink()
