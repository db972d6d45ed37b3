"""Passwords of the first-use authenticator: ``python -m tljh.passwords set|without DATABASE NAME...``, ``... convert FROM TO``.

A password is read from standard input. A name that has one keeps it, unless ``--replace`` is given.
"""

import argparse
import contextlib
import dbm
import dbm.dumb
import fcntl
import os
import shutil
import sys
import tempfile

import bcrypt

#: Those of a database's files, in whichever format.
EXTENSIONS = ("", ".db", ".pag", ".dat", ".dir", ".bak")
#: Of one in our format, the data and the index of it.
DATA, INDEX = ".dat", ".dir"
#: Bytes of a password that bcrypt uses. It refuses longer ones, of which earlier versions used as many.
SIGNIFICANT = 72
#: The cost of a hash: whoever steals it shall not find out what a person chose, nor what was chosen by chance.
ROUNDS, RANDOM_ROUNDS = 12, 6


def ensure_database(path):
    """Make the password database in the one format that every Python has, now and after a release upgrade."""
    if not dbm.whichdb(path):
        with changing(path):
            pass


@contextlib.contextmanager
def changing(path):
    """The password database, for changes that are on the disk as a whole afterwards, or not at all.

    dbm writes the index anew in its place; whoever is not in what is left of it has no password, and anybody may choose
    it. So a copy is changed, by one process at a time.
    """
    if dbm.whichdb(path) not in (None, "", "dbm.dumb"):
        with dbm.open(path, "c", 0o600) as database:
            yield database
        write_through(path)
        return
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}")
    with locked_folder(path):
        for extension in (DATA, INDEX):
            if os.path.exists(path + extension):
                shutil.copy(path + extension, beside + extension)
            else:
                remove(beside + extension)
        with dbm.dumb.open(beside, "c", 0o600) as database:
            yield database
        remove(f"{beside}.bak")
        write_through(beside)
        # The old index is good for the new data: what it names is where it was.
        for extension in (DATA, INDEX):
            os.replace(beside + extension, path + extension)
        write_through(path)


@contextlib.contextmanager
def locked_folder(path):
    """No other process changes the database at ``path`` meanwhile."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def set_password(path, name, password, replace=False, rounds=ROUNDS):
    """Store the hash of ``password`` for the hub user ``name``, unless there is one that is to stay."""
    if replace:
        replace_hash(path, name, hash_password(password, rounds))
    elif stored_hash(path, name) is None:
        store_hash(path, name, hash_password(password, rounds))


def hash_password(password, rounds=ROUNDS):
    """bcrypt's hash, for which 72 bytes count and whose cost doubles with each of ``rounds``."""
    return bcrypt.hashpw(password.encode()[:SIGNIFICANT], bcrypt.gensalt(rounds))


def is_password(password, stored):
    """Whether ``password`` is the one that has the hash ``stored``."""
    return bcrypt.checkpw(password.encode()[:SIGNIFICANT], stored)


def stored_hash(path, name):
    """The hash of the user's password, if there is one."""
    if not dbm.whichdb(path):
        return None
    with dbm.open(path, "r") as database:
        return database.get(name.encode(), None)


def store_hash(path, name, chosen):
    """Store the hash ``chosen`` for a name that has none; return the one that counts then."""
    with changing(path) as database:
        return database.setdefault(name.encode(), chosen)


def replace_hash(path, name, chosen):
    """Store the hash ``chosen`` in the place of any other."""
    with changing(path) as database:
        database[name.encode()] = chosen


def remove_hash(path, name):
    """Have the user have no password, if there is one."""
    if stored_hash(path, name) is not None:
        with changing(path) as database:
            database.pop(name.encode(), None)


def write_through(path):
    """Have the password database on disk: dbm leaves that to chance, and whose password is lost, anybody may choose it."""
    for file in (*(path + extension for extension in EXTENSIONS), os.path.dirname(path) or "."):
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
        with changing(beside) as database:
            for key, value in entries.items():
                database[key] = value
        for extension in EXTENSIONS:
            if os.path.exists(beside + extension):
                os.replace(beside + extension, target + extension)
            else:
                # Of another format, which would be found first.
                remove(target + extension)
    write_through(target)
    return len(entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    setting = commands.add_parser("set", help="store the password that standard input holds")
    setting.add_argument("--replace", action="store_true", help="even where there is one")
    setting.add_argument("--random", action="store_true", help="it was chosen by chance: no costly hash is needed")
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
    rounds = RANDOM_ROUNDS if arguments.random else ROUNDS
    set_password(arguments.database, arguments.name, password, arguments.replace, rounds)


if __name__ == "__main__":
    main()
