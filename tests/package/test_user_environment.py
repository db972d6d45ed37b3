"""The default user environment can be made from the package alone."""

import hashlib
import re

from tests.machines.places import PROJECT

LIB = "usr/lib/tljh-user-env"


def test_every_wheel_is_in_the_lock_by_its_hash(debs, system):
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", (PROJECT / "packaging/user-env/requirements.txt").read_text()))
    wheels = [path for path in debs["tljh-user-env"].files() if path.startswith(f"/{LIB}/wheels/")]
    assert len(wheels) > 50
    for path in wheels:
        assert hashlib.sha256((system.root / path.lstrip("/")).read_bytes()).hexdigest() in hashes, path


def test_the_shipped_lock_is_the_projects(system):
    assert (system.root / LIB / "requirements.txt").read_text() == (PROJECT / "packaging/user-env/requirements.txt").read_text()


def test_the_environment_resolves_without_index_network_or_compiler(system):
    made = system.run(
        f"/{LIB}/uv", "pip", "install", "--dry-run", "--offline", "--no-index", "--no-config", "--no-build",
        "--no-cache", "--break-system-packages", "--find-links", f"/{LIB}/wheels", "--require-hashes", "--target", "/tmp/nowhere",
        "--python", "/usr/bin/python3", "-r", f"/{LIB}/requirements.txt", user="65534:65534",
    )
    for name in ("jupyterlab", "notebook", "nbgitpuller", "jupyter-resource-usage", "ipywidgets", "jupyterhub"):
        assert f" + {name}==" in made.stderr


def test_every_wheel_is_used(debs, system):
    made = system.run(
        f"/{LIB}/uv", "pip", "install", "--dry-run", "--offline", "--no-index", "--no-config", "--no-build",
        "--no-cache", "--break-system-packages", "--find-links", f"/{LIB}/wheels", "--require-hashes", "--target", "/tmp/nowhere",
        "--python", "/usr/bin/python3", "-r", f"/{LIB}/requirements.txt",
    )
    used = {re.sub(r"[-_.]+", "-", name) for name in re.findall(r"^ \+ (\S+)==", made.stderr, re.MULTILINE)}
    shipped = {re.sub(r"[-_.]+", "-", path.rsplit("/", 1)[1].split("-")[0]).lower()
               for path in debs["tljh-user-env"].files() if path.endswith(".whl")}
    assert shipped == used
