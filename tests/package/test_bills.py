"""The bill of materials of each package is true: it names what the package carries, and nothing else."""

import fcntl
import functools
import hashlib
import json
import os
import re
import subprocess

import pytest

from tests.machines.places import CACHE, DATA, PROJECT
from tests.package.debs import NAMES

LOCK = DATA / "bills/requirements.txt"
# Reads bills from the command line and prints what is wrong with them.
VALIDATE = """
import json, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_6)
for path in map(pathlib.Path, sys.argv[1:]):
    text = path.read_text()
    for error in validator.validate_str(text, all_errors=True) or ():
        print(path, error)
    for component in json.loads(text).get('components', ()):
        for licence in component['licenses']:
            if not is_expression(licence.get('expression', 'MIT')):
                print(path, component['name'], licence)
"""
PROGRAMS = {
    "tljh-hub": ["usr/bin/tljh-hub"], "tljh-config": ["usr/bin/tljh-config"], "tljh-proxy": ["usr/bin/tljh-proxy"],
    "tljh-user-env": ["usr/bin/tljh-user-env", "usr/lib/tljh-user-env/tljh-conda"],
}


@pytest.fixture(scope="session")
def bills(debs):
    """{package: its bill}."""
    return {name: json.loads(bill_path(deb).read_text()) for name, deb in debs.items()}


def bill_path(deb):
    return deb.path.with_suffix(".cdx.json")


def validator():
    """The Python of an environment with the library of CycloneDX, made once for each state of its lock."""
    folder = CACHE / "bills" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder.parent.mkdir(exist_ok=True)
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", LOCK],
                           check=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def validate(*paths):
    return subprocess.run([validator(), "-c", VALIDATE, *paths], capture_output=True, text=True, check=True).stdout


def components(bill, kind):
    """{name: version} of a kind of components, by the beginning of their references."""
    return {one["name"]: one["version"] for one in bill["components"] if one["bom-ref"].startswith(kind)}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_bill_is_valid(debs, bills, tmp_path):
    assert validate(*map(bill_path, debs.values())) == ""
    # And the validator does look.
    wrong = dict(bills["tljh-hub"], bomFormat="something else")
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    assert "something else" in validate(tmp_path / "wrong.json")


def test_a_bill_names_its_package_by_the_hash_of_the_file(debs, bills, suite):
    serials = set()
    for name, deb in debs.items():
        about = bills[name]["metadata"]["component"]
        assert (about["name"], about["version"]) == (name, deb.version)
        assert f"distro={suite}" in about["purl"]
        assert about["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(deb.path.read_bytes()).hexdigest()}]
        serials.add(bills[name]["serialNumber"])
    assert len(serials) == len(debs)


def test_the_hubs_bill_names_each_distribution_of_its_environment_and_no_other(debs, bills):
    infos = {re.search(r"/([^/]+)\.dist-info/METADATA$", path)[1] for path in debs["tljh-hub"].files()
             if path.endswith(".dist-info/METADATA")}
    named = components(bills["tljh-hub"], "pkg:pypi/")
    assert len(infos) > 40
    assert {f"{normal(name)}-{version}" for name, version in named.items()} == {
        f"{normal(info.rsplit('-', 1)[0])}-{info.rsplit('-', 1)[1]}" for info in infos}
    for one in bills["tljh-hub"]["components"]:
        if one["bom-ref"].startswith("pkg:pypi/"):
            assert one["properties"], one["name"]


def test_the_user_environments_bill_names_each_wheel_by_its_hash_and_uv(debs, bills, system):
    hashes = {one["hashes"][0]["content"]: one for one in bills["tljh-user-env"]["components"] if one["bom-ref"].startswith("pkg:pypi/")}
    shipped = [path for path in debs["tljh-user-env"].files() if path.endswith(".whl") or path.endswith("/uv")]
    assert len(shipped) > 50
    found = {hashlib.sha256((system.root / path.lstrip("/")).read_bytes()).hexdigest(): path for path in shipped}
    assert found.keys() == hashes.keys()
    for digest, path in found.items():
        name, version = hashes[digest]["name"], hashes[digest]["version"]
        told = system.run(path, "--version").stdout if path.endswith("/uv") else path.rsplit("/", 1)[1].replace("-", " ")
        assert normal(told.split()[0]) == normal(name) and told.split()[1] == version


def test_a_wheel_that_was_made_anew_tells_the_locked_ones_that_it_was_made_from(bills):
    lock = (PROJECT / "packaging/user-env/requirements.txt").read_text()
    for one in bills["tljh-user-env"]["components"]:
        if one["bom-ref"].startswith("pkg:pypi/") and one["name"] != "uv":
            is_locked = f"sha256:{one['hashes'][0]['content']}" in lock
            assert is_locked != ("pedigree" in one), one["name"]
            origins = [each["value"] for each in one.get("properties", []) if each["name"] == "tljh:locked:sha256"]
            assert is_locked or origins and all(f"sha256:{each}" in lock for each in origins), one["name"]


@functools.cache
def planned_crates(conda):
    """{program: {(name, version)}} by cargo's plan of the build: what each program is linked from."""
    chosen = ["--profile=release-conda", "--package=tljh-conda"] if conda else ["--release", "--workspace", "--exclude=tljh-conda"]
    # Only cargo itself knows with which features each crate is built; it tells so to those who accept that the format may change.
    told = subprocess.run(["cargo", "build", "--locked", *chosen, "--bins", "--unit-graph", "-Z", "unstable-options"],
                          cwd=PROJECT, capture_output=True, text=True, check=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
    units = json.loads(told.stdout)["units"]

    def linked(unit, seen):
        for dependency in unit["dependencies"]:
            other = units[dependency["index"]]
            if set(other["target"]["kind"]) & {"proc-macro", "custom-build"} or dependency["index"] in seen:
                continue
            seen.add(dependency["index"])
            linked(other, seen)
        return {identity(units[index]) for index in seen}

    def identity(unit):
        """Of `registry+...#name@1.0`, or `path+file:///.../name#1.0`."""
        place, _, last = unit["pkg_id"].partition("#")
        name, _, version = last.rpartition("@")
        return name or place.rsplit("/", 1)[1], version

    return {unit["target"]["name"]: linked(unit, set()) - {identity(unit)} for unit in units if unit["target"]["kind"] == ["bin"]}


@pytest.mark.parametrize("package", NAMES)
def test_a_bill_names_the_crates_that_cargo_links_into_the_programs_and_no_other(bills, package):
    bill = bills[package]
    named = {(one["name"], one["version"]) for one in bill["components"] if one["bom-ref"].startswith("pkg:cargo/")}
    planned = set()
    for program in PROGRAMS.get(package, ()):
        name = program.rsplit("/", 1)[1]
        planned |= planned_crates(name == "tljh-conda")[name]
    assert named == planned
    assert (len(planned) > 50) == (package in PROGRAMS)


def test_a_bill_names_each_crate_that_a_program_itself_names(bills, system):
    """In its messages of what went wrong, the places of which are those of the sources."""
    for package, programs in PROGRAMS.items():
        named = {f"{one['name']}-{one['version']}" for one in bills[package]["components"]}
        for program in programs:
            told = set(re.findall(rb"/crates/[^/\0]+/([^/\0]+-\d+\.[^/\0]+)/", (system.root / program).read_bytes()))
            assert len(told) > 5
            assert {each.decode() for each in told} <= named


def test_programs_are_named_by_their_hashes_with_the_crates_that_each_needs(bills, system):
    for package, programs in PROGRAMS.items():
        needs = {one["ref"]: one.get("dependsOn", []) for one in bills[package]["dependencies"]}
        known = {one["bom-ref"]: one for one in bills[package]["components"]}
        for program in programs:
            at = f"program:{program}"
            digest = hashlib.sha256((system.root / program).read_bytes()).hexdigest()
            assert known[at]["hashes"] == [{"alg": "SHA-256", "content": digest}]
            assert at in needs[bills[package]["metadata"]["component"]["bom-ref"]]
            assert any(each.startswith("pkg:cargo/clap@") for each in needs[at])
        assert {each for refs in needs.values() for each in refs} <= known.keys()
