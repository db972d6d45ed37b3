"""Packages of a channel that more than one sort of test uses."""

import subprocess


def add_compiled(channel):
    """A compiled library, and a package that needs it."""
    source = channel.folder / "answer.c"
    source.write_text("int answer(void) { return 42; }\n")
    library = channel.folder / "libanswer.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    channel.add("libanswer", "1.0", {"lib/libanswer.so": library.read_bytes()})
    module = ("import ctypes, pathlib, sys\n"
              "path = pathlib.Path(sys.prefix, 'lib/libanswer.so')\nVALUE = ctypes.CDLL(str(path)).answer()\n")
    channel.add("answer", "1.0", {"site-packages/answer/__init__.py": module}, noarch="python",
                depends=["python", "libanswer >=1"])
