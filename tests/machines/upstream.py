"""A machine on which upstream's installer was used, and a class has worked.

The parts are the real ones: JupyterHub 5, its authenticators and systemdspawner in a virtual environment of the system's
Python at `/opt/tljh/hub`, JupyterLab by pip at `/opt/tljh/user`, in a virtual environment or one of conda's (`use_conda`), the password database, the
hub's database. Units,
configuration and layout are written as upstream's are, in `tests/data/upstream`. Traefik is not packaged by Debian, pip or
npm: configurable-http-proxy serves under its name, on its ports.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.peers import ensure_chp
from tests.conda.channel import Channel, bundle_channel
from tests.conda.cpython import own_suite
from tests.conda.packages import add_compiled
from tests.user_env.wheels import make_wheel

from .base import ensure_base
from .earlier import LOCK, ensure_environment
from .hub_client import HubClient
from .install import wait_for_login_page
from .machine import Machine
from .places import CACHE, DATA, DIST, ensure_kept

TEXTS = DATA / "upstream"
#: What upstream's installer takes from Debian, and the stand-in's interpreter.
DEBIAN = ["nodejs", "python3-venv"]
#: In the user environment of upstream's.
LAB = ["jupyterlab", "notebook", "nbgitpuller", "jupyter-resource-usage", "ipywidgets"]
#: Who has logged in, and the password that they chose then.
PASSWORDS = {"ada": "lovelace-1815", "ben": "franklin-1706"}
SNIPPET = 'c.Spawner.environment = {"COURSE": "physics"}\n'
RECIPE = 1
PREFIX = "opt/tljh"


def upstream_layers(suite, repository):
    """The layers of its disk, made once for each state of what is in it and kept."""
    base = ensure_base(suite, DEBIAN)
    digest = hashlib.sha256(f"{RECIPE}".encode() + LOCK.read_bytes() + Path(__file__).read_bytes())
    for text in sorted(TEXTS.iterdir()):
        digest.update(text.read_bytes())

    def make_layer(layer):
        with Machine(suite, repository, extra=DEBIAN) as machine:
            make(machine)
            machine.keep_disk(layer)

    kept = CACHE / "upstream" / f"{base.name}-{digest.hexdigest()[:12]}"
    return [base, ensure_kept(kept, suite, make_layer)]


def make(machine):
    """Make the machine one of upstream's, and have a first lesson there."""
    lay_hub(machine)
    lay_environment(machine)
    lay_files(machine)
    machine.boot()
    machine.run("systemctl daemon-reload && systemctl enable --now traefik jupyterhub")
    wait_for_login_page(machine)
    ada = HubClient(machine.url, "ada").login(PASSWORDS["ada"])
    ada.add_user("ben")
    ben = HubClient(machine.url, "ben").login(PASSWORDS["ben"])
    for person in (ada, ben):
        person.start_server()
        person.start_kernel().run("open('kept.txt', 'w').write('work of a term')")
        person.stop_server()
    # Of a hub user who was deleted, and of somebody who never was one.
    machine.run("useradd --create-home --groups jupyterhub-users jupyter-gone")
    machine.run("useradd --create-home jupyter-mallory")


def lay_hub(machine):
    """The hub's environment, its proxy, and two packages that do not come with upstream."""
    hub = machine.root / PREFIX / "hub"
    hub.parent.mkdir(parents=True)
    run("cp", "-a", ensure_environment(machine.suite), hub)
    chp = ensure_chp().parent.parent
    run("cp", "-a", chp, hub / "lib/node_modules")
    proxy = hub / "bin/traefik"
    proxy.write_text(f"#!/bin/sh\nexec node /{PREFIX}/hub/lib/node_modules/configurable-http-proxy/bin/configurable-http-proxy \"$@\"\n")
    proxy.chmod(0o755)
    site = next(hub.glob("lib/python3.*/site-packages"))
    (site / "tljh").mkdir()
    (site / "tljh/__init__.py").touch()
    shutil.copy(TEXTS / "user_creating_spawner.py", site / "tljh")
    (hub / "lib/upstream/tljh").mkdir(parents=True)
    shutil.copy(TEXTS / "jupyterhub_config.py", hub / "lib/upstream/tljh")
    (hub / "bin/tljh-config").write_text(f"#!/{PREFIX}/hub/bin/python3\nprint('upstream')\n")
    (hub / "bin/tljh-config").chmod(0o755)
    with tempfile.TemporaryDirectory() as made:
        for name, version in (("the_littlest_jupyterhub", "2.0.0"), ("course_plugin", "1.2")):
            wheel = make_wheel(Path(made), name, version)
            run(sys.executable, "-m", "zipfile", "-e", wheel, site)


def lay_environment(machine):
    """The user environment, by pip, with a package that an administrator added."""
    machine.run(f"python3 -m venv /{PREFIX}/user")
    install_lab(machine, machine.suite)


def use_conda(machine):
    """Have the user environment be one of conda's, as upstream's installer makes it: Python, pip and what administrators
    added come from a channel, JupyterLab from pip."""
    folder = machine.root / "srv/channel"
    shutil.copytree(bundle_channel(), folder)
    channel = Channel(folder)
    add_compiled(channel)
    channel.write_index()
    deb = next((DIST / "debs" / machine.suite).glob("tljh-user-env_*.deb"))
    run("dpkg-deb", "--extract", deb, machine.root / "srv/unpacked")
    program = "/srv/unpacked/usr/lib/tljh-user-env/tljh-conda"
    asked = {"channels": ["file:///srv/channel"], "cache": "/srv/cache", "prefix": f"/{PREFIX}/user"}
    machine.run(f"rm -r /{PREFIX}/user")
    solved = machine.output(f"{program} solve", input=json.dumps({**asked, "prefix": None, "install": ["python", "pip", "answer"]}))
    machine.run(f"{program} link", input=json.dumps({**asked, "packages": json.loads(solved)["packages"]}))
    machine.run("rm -r /srv/channel /srv/cache /srv/unpacked")
    # Its Python is that of the channel.
    install_lab(machine, own_suite())


def install_lab(machine, suite):
    """JupyterLab and its like, and a package that an administrator added, from wheels for the Python of `suite`."""
    wheels = machine.root / "srv/wheels"
    run("cp", "-a", ensure_environment(suite).parent / "wheels", wheels)
    for wheel in wheels.glob("jupyterhub-*"):
        wheel.unlink()
    entry = re.search(r"^jupyterhub==.*\n(?:[ \t]+--hash.*\n)+", LOCK.read_text(), re.M)[0]
    with tempfile.TemporaryDirectory() as work:
        wanted = Path(work) / "jupyterhub.txt"
        wanted.write_text(entry)
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:",
            "-r", wanted, "-d", wheels)
    make_wheel(wheels, "course", "3.1", {"course/data.py": "ANSWER = 42\n"})
    machine.run(f"/{PREFIX}/user/bin/pip install --quiet --no-compile --no-index --find-links /srv/wheels jupyterhub {' '.join(LAB)}", timeout=300)
    machine.run(f"/{PREFIX}/user/bin/pip install --quiet --no-compile --no-index --find-links /srv/wheels course")
    machine.run("rm -r /srv/wheels")


def lay_files(machine):
    """Configuration, state, units, groups and rights."""
    prefix = machine.root / PREFIX
    for folder in ("config", "config/jupyterhub_config.d", "config/traefik_config.d", "state", "state/rules"):
        (prefix / folder).mkdir(mode=0o700)
    shutil.copy(TEXTS / "config.yaml", prefix / "config")
    (prefix / "config/jupyterhub_config.d/10-course.py").write_text(SNIPPET)
    (prefix / "state/traefik-api.secret").write_text("0123456789abcdef" * 4)
    (prefix / "state/traefik.toml").write_text("[api]\n")
    (prefix / "installer.log").write_text("Setting up TLJH\n")
    (prefix / "installer.log").chmod(0o500)
    machine.run(f"ln -s /{PREFIX}/hub/bin/tljh-config /usr/bin/tljh-config")
    for unit in ("jupyterhub.service", "traefik.service"):
        shutil.copy(TEXTS / unit, machine.root / "etc/systemd/system")
    machine.run("groupadd jupyterhub-users; groupadd jupyterhub-admins")
    machine.write("/etc/sudoers.d/jupyterhub-admins",
                  "%jupyterhub-admins ALL = (ALL) NOPASSWD: ALL\nDefaults exempt_group = jupyterhub-admins\n")


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
