"""Gives Python files their bytecode: from an archive, where it is of the very same source, and compiled else.

    python bytecode.py ARCHIVE SITE_PACKAGES            what the archive has
    python bytecode.py ARCHIVE SITE_PACKAGES LIBRARY    likewise, and all else below LIBRARY; no valid Python is left out

The archive's files name their source by its hash (PEP 552). In the folder they are bound to the source's time and size
instead, as those that Python writes by itself: who imports a module need not read its source. Where the disk is full it ends
with 28 (ENOSPC) and a line that says so.
"""

import errno
import importlib.util
import os
import py_compile
import struct
import sys
import tarfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

MAGIC = importlib.util.MAGIC_NUMBER
# So many are compiled before the archive is read.
FEW = 200
FULL = (errno.ENOSPC, errno.EDQUOT)


def main(archive, packages, library=None):
    if len(stale_below(packages)) > FEW:
        try:
            place_all(archive, packages)
        except Exception as error:  # whatever else it is, all can be compiled
            if is_full(error):
                raise
            print(f"what comes with tljh is compiled anew: {archive}: {error}", file=sys.stderr)
    if library:
        compile_all(stale_below(library))


def place_all(archive, packages):
    # As a stream: it was packed as one piece.
    with tarfile.open(archive, "r|xz") as packed:
        for member in packed:
            if member.name.endswith(f".{sys.implementation.cache_tag}.pyc"):
                place(packed.extractfile(member).read(), packages / member.name)


def place(code, compiled):
    source = Path(importlib.util.source_from_cache(compiled))
    try:
        text, header = source.read_bytes(), header_for(source)
    except OSError:
        return
    if code[:4] != MAGIC or code[8:16] != importlib.util.source_hash(text) or begins_with(compiled, header):
        return
    compiled.parent.mkdir(exist_ok=True)
    # Always the same name: what a run that was killed left is taken by the next one.
    new = compiled.with_name(f"{compiled.name}.new")
    mode = source.stat().st_mode & 0o666 | 0o200
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(header + code[16:])
    new.replace(compiled)


def compile_all(sources):
    if sources:
        with ProcessPoolExecutor() as pool:
            list(pool.map(compile_one, sources, chunksize=16))


def compile_one(source):
    # `compileall` says of no file whether it is no valid Python or could not be written.
    try:
        py_compile.compile(source, doraise=True)
    except py_compile.PyCompileError:
        pass
    except OSError as error:
        if is_full(error):
            raise


def is_full(error):
    return isinstance(error, OSError) and error.errno in FULL


def stale_below(folder):
    return [str(source) for source in folder.rglob("*.py") if not is_compiled(source)]


def is_compiled(source):
    try:
        return begins_with(Path(importlib.util.cache_from_source(source)), header_for(source))
    except OSError:
        return False


def header_for(source):
    known = source.stat()
    return MAGIC + struct.pack("<III", 0, int(known.st_mtime) & 0xFFFFFFFF, known.st_size & 0xFFFFFFFF)


def begins_with(path, header):
    try:
        with path.open("rb") as file:
            return file.read(len(header)) == header
    except OSError:
        return False


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except OSError as full:
        if not is_full(full):
            raise
        print(full, file=sys.stderr)
        sys.exit(errno.ENOSPC)
