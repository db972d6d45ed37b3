"""The default user environment can be made from the package alone."""

import hashlib
import json
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


# Names of modules without bytecode, or with that of another source; asked of the suite's own Python.
BYTECODE = """
import importlib.util, json, pathlib, tarfile, zipfile

lib = pathlib.Path("/usr/lib/tljh-user-env")
with tarfile.open(lib / "bytecode.tar.xz", "r|xz") as packed:
    headers = {member.name: packed.extractfile(member).read(16) for member in packed}
found = {"right": [], "wrong": [], "missing": []}
for wheel in lib.glob("wheels/*.whl"):
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if not name.endswith(".py") or ".data/" in name:
                continue
            text = packed.read(name)
            right = importlib.util.MAGIC_NUMBER + b"\\x03\\0\\0\\0" + importlib.util.source_hash(text)
            header = headers.get(importlib.util.cache_from_source(name))
            if header is None:
                try:
                    compile(text, name, "exec")
                except SyntaxError:
                    continue
            found["missing" if header is None else "right" if header == right else "wrong"].append(name)
print(json.dumps(found))
"""


def test_every_module_comes_with_the_bytecode_of_its_very_source(system):
    found = json.loads(system.run("/usr/bin/python3", "-W", "ignore", "-c", BYTECODE).stdout)
    assert not found["wrong"] and not found["missing"]
    assert len(found["right"]) > 3000
