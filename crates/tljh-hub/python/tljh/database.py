"""The hub's own database, an SQLite file: ``python -m tljh.database copy FROM TO`` ``... migrate FILE`` and ``... users FILE``.

SQLite's own way to copy (sqlite3_backup) gives what the file holds at one moment, also while a hub writes to it, and
rolls back what a killed one left half done. What is migrated must be in nobody's use: with SQLite, JupyterHub's
migrations are no transactions, and one that was killed cannot be repeated.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import sys
import tempfile
import urllib.parse


def open_existing(path):
    """A connection that makes no file."""
    return sqlite3.connect(f"file:{urllib.parse.quote(os.path.abspath(path))}?mode=rw", uri=True, timeout=60)


def copy(source, target):
    """Copy the database to ``target``, which is then on the disk; sqlite3.DatabaseError where it is damaged."""
    with contextlib.closing(open_existing(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
        one.backup(other)
        ((said, *_), *_) = other.execute("PRAGMA quick_check(1)")
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        # A database with a log beside it would be two files.
        other.execute("PRAGMA journal_mode = DELETE")
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def has_schema(path, name):
    """Whether the database has the schema of that name, asked without JupyterHub, whose import takes a second."""
    with contextlib.closing(open_existing(path)) as database, contextlib.suppress(sqlite3.OperationalError):
        return database.execute("SELECT version_num FROM alembic_version").fetchall() == [(name,)]
    return False


def migrate(path, schema=None):
    """Bring the database to the schema of this JupyterHub, called ``schema``; return whether there was anything to do."""
    if schema and has_schema(path, schema):
        return False
    import alembic.command
    import alembic.config
    import sqlalchemy
    from jupyterhub import dbutil, orm

    url = f"sqlite:///{os.path.abspath(path)}"
    engine = sqlalchemy.create_engine(url)
    try:
        orm.check_db_revision(engine)
    except orm.DatabaseSchemaMismatch:
        pass
    else:
        return False
    # As `jupyterhub upgrade-db` does, which starts one more Python for it while nobody reaches the hub.
    with tempfile.TemporaryDirectory() as folder:
        settings = os.path.join(folder, "alembic.ini")
        dbutil.write_alembic_ini(settings, url)
        alembic.command.upgrade(alembic.config.Config(settings), "head")
    orm.check_db_revision(engine)
    engine.dispose()
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return True


def users(path):
    """The names of all hub users, whatever schema the database has."""
    with contextlib.closing(open_existing(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM users ORDER BY name")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    copying = commands.add_parser("copy", help="copy a database that may be in use")
    copying.add_argument("source")
    copying.add_argument("target")
    migrating = commands.add_parser("migrate", help="to this JupyterHub's schema; prints `migrated` or `current`")
    migrating.add_argument("file")
    migrating.add_argument("schema", nargs="?", help="its name, where it is known")
    listing = commands.add_parser("users", help="print the names of all hub users, as JSON")
    listing.add_argument("file")
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        if arguments.command == "copy":
            copy(arguments.source, arguments.target)
        elif arguments.command == "users":
            print(json.dumps(users(arguments.file)))
        else:
            print("migrated" if migrate(arguments.file, arguments.schema) else "current")
    # A migration may raise anything.
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
