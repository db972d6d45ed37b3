"""The database of a hub of upstream's version 0.2, made by that JupyterHub."""

import hashlib
import shutil
import subprocess
import sys

from .places import CACHE, DATA, locked

LOCK = DATA / "hub-1/requirements.txt"
SCRIPT = """
import sys
from jupyterhub import orm

session = orm.new_session_factory(f"sqlite:///{sys.argv[1]}")()
for name in sys.argv[2:]:
    user = orm.User(name=name, admin=name == sys.argv[2])
    session.add(user)
    session.commit()
    # As after a lesson: a server that has ended, and a token.
    session.add(orm.Spawner(name="", user=user, state={"unit_name": f"jupyter-{name}"}))
    user.new_api_token(note="of 2021")
    session.commit()
"""


def make_database(path, *names):
    """A database at `path` with the hub users `names`, the first of them an administrator."""
    python = ensure_environment() / "bin/python"
    done = subprocess.run([python, "-c", SCRIPT, path, *names], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])


def ensure_environment():
    """A virtual environment with that JupyterHub, made once and kept."""
    version = "{}.{}".format(*sys.version_info)
    folder = CACHE / "hub-1" / f"{version}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    with locked("hub-1"):
        if not folder.is_dir():
            shutil.rmtree(folder.parent, ignore_errors=True)
            new = folder.with_name("new")
            subprocess.run([sys.executable, "-m", "venv", new], check=True)
            subprocess.run([new / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK], check=True)
            # Its Python is found by the folder's own file, wherever that is.
            new.rename(folder)
    return folder
