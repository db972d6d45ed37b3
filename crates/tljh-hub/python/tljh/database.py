"""The hub's own database, an SQLite file: ``python -m tljh.database copy FROM TO``, ``... migrate FROM TO`` and ``... users FILE``.

SQLite's own way to copy (sqlite3_backup) gives what the file holds at one moment, also while a hub writes to it, and
rolls back what a killed one left half done. A copy is what is migrated too: with SQLite, JupyterHub's migrations are no
transactions, and one that was killed cannot be repeated.

People wait for the hub meanwhile, so that of JupyterHub only what is needed is imported: all of it takes a second.
"""

import argparse
import contextlib
import gc
import importlib.util
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


def schema_of(path):
    """JupyterHub's name for the database's schema; None where nobody has noted it, or several."""
    with contextlib.closing(open_existing(path)) as database, contextlib.suppress(sqlite3.OperationalError):
        names = [name for (name,) in database.execute("SELECT version_num FROM alembic_version")]
        return names[0] if len(names) == 1 else None
    return None


def is_current(path, schema):
    """Whether the database has the schema of this JupyterHub, called ``schema``; JupyterHub is asked where nobody knows."""
    noted = schema_of(path)
    if schema and noted:
        return noted == schema
    import sqlalchemy
    from jupyterhub import orm

    engine = sqlalchemy.create_engine(url_of(path))
    try:
        orm.check_db_revision(engine)
    except orm.DatabaseSchemaMismatch:
        return False
    finally:
        engine.dispose()
    return True


def migrate(path, schema=None):
    """Bring the database to the schema of this JupyterHub, called ``schema``; return whether there was anything to do."""
    if is_current(path, schema):
        return False
    # What is imported stays; to look for garbage in it takes an eighth of the time.
    gc.disable()
    import alembic.command
    import alembic.config

    # As `jupyterhub upgrade-db` does, which starts one more Python for it while nobody reaches the hub.
    with tempfile.TemporaryDirectory() as folder:
        settings = os.path.join(folder, "alembic.ini")
        write_settings(settings, url_of(path))
        alembic.command.upgrade(alembic.config.Config(settings), "head")
    if not is_current(path, schema):
        raise RuntimeError(f"the migrations led to {schema_of(path)}, and this JupyterHub has {schema}")
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return True


def write_settings(path, url):
    """What JupyterHub's ``dbutil.write_alembic_ini`` writes. Once that is imported, the migrations import the whole hub."""
    (folder,) = importlib.util.find_spec("jupyterhub").submodule_search_locations
    with open(os.path.join(folder, "alembic.ini")) as file:
        template = file.read()
    with open(path, "w") as file:
        file.write(template.format(alembic_dir=os.path.join(folder, "alembic"), db_url=url.replace("%", "%%")))


def url_of(path):
    return f"sqlite:///{os.path.abspath(path)}"


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
    migrating = commands.add_parser(
        "migrate", help="copy a database, and bring the copy to this JupyterHub's schema; prints `migrated` or `current`"
    )
    migrating.add_argument("source")
    migrating.add_argument("target")
    migrating.add_argument("schema", nargs="?", help="its name, where it is known")
    listing = commands.add_parser("users", help="print the names of all hub users, as JSON")
    listing.add_argument("file")
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        if arguments.command == "users":
            print(json.dumps(users(arguments.file)))
            return
        copy(arguments.source, arguments.target)
        if arguments.command == "migrate":
            print("migrated" if migrate(arguments.target, arguments.schema) else "current")
    # A migration may raise anything.
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
