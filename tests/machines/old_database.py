"""Databases of the hubs of upstream's earlier versions, each made by the JupyterHub of then: 1.5 came with version 0.2, 4.1
with 1.0."""

import hashlib
import shutil
import subprocess
import sys

from .places import CACHE, DATA, locked

SCRIPT = """
import sys
from jupyterhub import orm

session = orm.new_session_factory(f"sqlite:///{sys.argv[1]}")()
try:
    from jupyterhub import roles
except ImportError:
    roles = None
if roles:
    # What the hub itself does when it starts, from version 2 on.
    for role in roles.get_default_roles():
        roles.create_role(session, role)
    session.add(orm.OAuthClient(identifier="jupyterhub", secret="", redirect_uri=""))
    session.commit()
for name in sys.argv[2:]:
    user = orm.User(name=name, admin=name == sys.argv[2])
    session.add(user)
    session.commit()
    if roles:
        roles.assign_default_roles(session, entity=user)
    # As after a lesson: a server that has ended, and a token.
    session.add(orm.Spawner(name="", user=user, state={"unit_name": f"jupyter-{name}"}))
    user.new_api_token(note="of a lesson")
    session.commit()
"""


def make_database(path, major, *names):
    """A database at `path` of JupyterHub `major` with the hub users `names`, the first of them an administrator."""
    python = ensure_environment(major) / "bin/python"
    done = subprocess.run([python, "-c", SCRIPT, path, *names], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])


def ensure_environment(major):
    """A virtual environment with that JupyterHub, made once and kept."""
    name = f"hub-{major}"
    lock = DATA / name / "requirements.txt"
    version = "{}.{}".format(*sys.version_info)
    folder = CACHE / name / f"{version}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    with locked(name):
        if not folder.is_dir():
            shutil.rmtree(folder.parent, ignore_errors=True)
            new = folder.with_name("new")
            subprocess.run([sys.executable, "-m", "venv", new], check=True)
            subprocess.run([new / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock], check=True)
            # Its Python is found by the folder's own file, wherever that is.
            new.rename(folder)
    return folder
