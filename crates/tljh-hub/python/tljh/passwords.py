"""Passwords of the first-use authenticator: ``python -m tljh.passwords set|without DATABASE NAME...``, ``... convert FROM TO``.

A password is read from standard input. A name that has one keeps it, unless ``--replace`` is given.
"""

import argparse
import contextlib
import dbm
import dbm.dumb
import os
import sys
import tempfile

import bcrypt

# Those of a database's files, in whichever format.
EXTENSIONS = ("", ".db", ".pag", ".dat", ".dir", ".bak")


def ensure_database(path):
    """Make the password database in the one format that every Python has, now and after a release upgrade."""
    if not dbm.whichdb(path):
        dbm.dumb.open(path, "c", 0o600).close()


def set_password(path, name, password, replace=False):
    """Store the hash of ``password`` for the hub user ``name``; return whether it was stored."""
    ensure_database(path)
    with dbm.open(path, "c", 0o600) as database:
        key = name.encode("utf8")
        if key in database and not replace:
            return False
        database[key] = bcrypt.hashpw(password.encode("utf8"), bcrypt.gensalt())
    write_through(path)
    return True


def write_through(path):
    """Have the password database on disk: dbm leaves that to chance, and whose password is lost, anybody may choose it."""
    for file in (*(path + extension for extension in EXTENSIONS), os.path.dirname(path)):
        try:
            descriptor = os.open(file, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def names_without(path, names):
    """Those of ``names`` that have no password."""
    if not dbm.whichdb(path):
        return list(names)
    with dbm.open(path, "r") as database:
        return [name for name in names if name.encode("utf8") not in database]


def convert(source, target):
    """Make ``target`` hold all of the database ``source``, of whichever format, in ours; return how many passwords it has."""
    with dbm.open(source, "r") as database:
        entries = {key: database[key] for key in database.keys()}
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target), prefix=".passwords-") as folder:
        beside = os.path.join(folder, os.path.basename(target))
        ensure_database(beside)
        with dbm.open(beside, "c", 0o600) as database:
            for key, value in entries.items():
                database[key] = value
        write_through(beside)
        for extension in EXTENSIONS:
            if os.path.exists(beside + extension):
                os.replace(beside + extension, target + extension)
            else:
                # Of another format, which would be found first.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(target + extension)
    write_through(target)
    return len(entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    setting = commands.add_parser("set", help="store the password that standard input holds")
    setting.add_argument("--replace", action="store_true", help="even where there is one")
    setting.add_argument("database")
    setting.add_argument("name")
    asking = commands.add_parser("without", help="print those names that have no password")
    asking.add_argument("database")
    asking.add_argument("names", nargs="*")
    converting = commands.add_parser("convert", help="copy a database of any format; prints how many passwords it has")
    converting.add_argument("source")
    converting.add_argument("target")
    arguments = parser.parse_args()
    os.umask(0o077)
    if arguments.command == "convert":
        print(convert(arguments.source, arguments.target))
        return
    if arguments.command == "without":
        for name in names_without(arguments.database, arguments.names):
            print(name)
        return
    password = sys.stdin.read()
    if not password:
        parser.error("no password on standard input")
    set_password(arguments.database, arguments.name, password, arguments.replace)


if __name__ == "__main__":
    main()
