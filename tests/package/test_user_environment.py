"""The default user environment can be made from the package alone."""

import base64
import csv
import hashlib
import json
import re
import zipfile

import pytest

from tests.machines.places import PROJECT

LIB = "usr/lib/tljh-user-env"
# The distributions that packaging/user-env/rework.py makes anew.
REWORKED = ["jupyterhub"]


@pytest.fixture(scope="module")
def lock():
    return (PROJECT / "packaging/user-env/requirements.txt").read_text()


def hashes(text):
    return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def wheels(debs, system):
    return [system.root / path.lstrip("/") for path in debs["tljh-user-env"].files() if path.endswith(".whl")]


def test_every_wheel_is_in_the_lock_by_its_hash_but_for_those_that_are_made_anew(wheels, lock):
    assert len(wheels) > 50
    others = [wheel.name.split("-")[0] for wheel in wheels if digest(wheel) not in hashes(lock)]
    assert others == REWORKED


def test_the_shipped_lock_is_the_projects_with_the_hashes_of_those_too(system, wheels, lock):
    shipped = (system.root / LIB / "requirements.txt").read_text()
    more = {digest(wheel) for wheel in wheels if wheel.name.split("-")[0] in REWORKED}
    assert hashes(shipped) == hashes(lock) | more

    def names(text):
        return re.findall(r"^[\w.-]+==[^\s;\\]+.*", text, re.MULTILINE)

    assert names(shipped) == names(lock)


def test_a_wheel_that_was_made_anew_has_what_it_lists_and_lists_what_it_has(wheels):
    for name in REWORKED:
        (wheel,) = [wheel for wheel in wheels if wheel.name.split("-")[0] == name]
        with zipfile.ZipFile(wheel) as packed:
            (record,) = [entry for entry in packed.namelist() if entry.endswith(".dist-info/RECORD")]
            listed = {path: (told, size) for path, told, size in csv.reader(packed.read(record).decode().splitlines())}
            assert listed.keys() == set(packed.namelist())
            for path, (told, size) in listed.items():
                content = packed.read(path)
                real = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert path == record or (told, size) == (f"sha256={real}", str(len(content)))


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
