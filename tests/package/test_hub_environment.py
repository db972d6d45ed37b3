"""The hub's Python environment: whole, of the suite's own Python, and never written to."""

import json
import re

from tests.machines.places import PROJECT
from tests.package.debs import PYTHON

HUB = "/opt/tljh/hub"
MODULES = """jupyterhub.app systemdspawner firstuseauthenticator nativeauthenticator
    ldapauthenticator tmpauthenticator oauthenticator.github jupyterhub_idle_culler pamela pluggy pycurl
    tljh.user_creating_spawner tljh.environment tljh.programs tljh.hooks tljh.login tljh.first_use tljh.hub tljh.start""".split()
UNCHECKED_HASH = 1


def python(system, *arguments, **options):
    return system.run(f"{HUB}/bin/python", *arguments, **options)


def locked(name):
    """{normalized name: version} of a lock file, for Linux and CPython 3.11 or newer."""
    found = {}
    for line in (PROJECT / "packaging" / name).read_text().splitlines():
        match = re.match(r"([\w.-]+)==([^\s;\\]+)(?: ; ([^\\]*))?", line)
        if match:
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = (match[2], (match[3] or "").strip())
    return found


def test_the_environment_holds_exactly_what_is_locked(system):
    script = """
import importlib.metadata as m, json, re
print(json.dumps({re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(): d.version for d in m.distributions()}))"""
    installed = eval(python(system, "-I", "-c", script).stdout)
    lock = locked("hub-env/requirements.txt")
    assert {name: version for name, version in installed.items() if lock.get(name, ("",))[0] != version} == {}
    absent = {name: marker for name, (_, marker) in lock.items() if name not in installed}
    assert [name for name, marker in absent.items() if not marker] == []


def test_the_environment_runs_on_the_suites_own_python(system, suite):
    script = "import sys; print(sys.prefix, sys.base_prefix, '%d.%d' % sys.version_info[:2])"
    assert python(system, "-c", script).stdout.split() == [HUB, "/usr", PYTHON[suite]]


def test_everything_that_the_hub_needs_imports_for_an_ordinary_user(system):
    python(system, "-c", f"import {', '.join(MODULES)}", user="65534:65534")


def test_every_module_is_byte_compiled_for_the_suites_python_and_never_looked_at_again(debs, suite, system):
    tag = "cpython-" + PYTHON[suite].replace(".", "")
    magic = bytes.fromhex(python(system, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())").stdout)
    files = debs["tljh-hub"].files()
    modules = [path for path in files if path.startswith(f"{HUB}/lib/") and path.endswith(".py")]
    assert len(modules) > 1000
    wrong = []
    for path in modules:
        folder, name = path.rsplit("/", 1)
        compiled = system.root / f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".lstrip("/")
        head = compiled.read_bytes()[:8] if compiled.exists() else b""
        if head[:4] != magic or int.from_bytes(head[4:], "little") != UNCHECKED_HASH:
            wrong.append(path)
    # Templates that alembic fills in are no modules yet, whatever their names end in.
    assert [path for path in wrong if "/alembic/templates/" not in path] == []
    strays = [path for path in files if path.endswith(".pyc") and f".{tag}." not in path]
    assert strays == []


def test_bytecode_belongs_to_the_source_beside_it(system):
    """Nobody would notice otherwise: an unchecked hash is not looked at."""
    script = """
import _imp, importlib.util as u, pathlib, sys
for source in pathlib.Path(sys.argv[1]).rglob('*.py'):
    compiled = pathlib.Path(u.cache_from_source(str(source)))
    if compiled.exists() and compiled.read_bytes()[8:16] != u.source_hash(source.read_bytes()):
        print(source)"""
    assert python(system, "-c", script, f"{HUB}/lib").stdout == ""


def test_tracebacks_name_the_installed_files(system):
    script = """
import importlib
for name in 'jupyterhub.app', 'tljh.hooks':
    module = importlib.import_module(name)
    print(module.__spec__.loader.get_code(name).co_filename == module.__file__)"""
    assert python(system, "-c", script).stdout.split() == ["True", "True"]


def test_running_the_hub_as_root_writes_nothing_into_its_environment(system):
    def state():
        return {path: path.lstat().st_mtime_ns for path in (system.root / HUB.lstrip("/")).rglob("*")}

    before = state()
    assert re.match(r"\d+\.\d+", python(system, "-m", "jupyterhub", "--version").stdout)
    python(system, "-c", f"import {', '.join(MODULES)}")
    assert state() == before


def test_every_compiled_module_of_the_environment_loads(system):
    """They were stripped after their wheels were opened."""
    script = """
import ctypes, pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob('*.so*'):
    ctypes.CDLL(str(path))"""
    python(system, "-c", script, f"{HUB}/lib")


def test_pages_find_the_files_that_they_load(system):
    """Pruning took away sources only; the page also names components that JupyterHub was not released with."""
    record = next((system.root / HUB.lstrip("/")).glob("lib/*/site-packages/jupyterhub-*.dist-info/RECORD")).read_text()
    released = set(re.findall(r"share/jupyterhub/static/([^,]+),", record))
    share = system.root / HUB.lstrip("/") / "share/jupyterhub"
    page = (share / "templates/page.html").read_text()
    asked = set(re.findall(r"""static_url\(["'](components/[^"']+|js/[^"']+|css/[^"']+)["']\)""", page))
    asked |= {f"{one}.js" for one in re.findall(r"""['"]\.\./(components/[^'"]+)['"]""", page)}
    assert len(asked & released) > 5
    assert [name for name in asked & released if not (share / "static" / name).exists()] == []


LOGIN = """
import asyncio, json, sys, tempfile
from tljh.first_use import FirstUseAuthenticator
from tljh.passwords import set_password

database = tempfile.mkdtemp() + "/passwords.dbm"
set_password(database, "ann", "a first password")
authenticator = FirstUseAuthenticator(dbm_path=database, create_users=True)

async def log_in(name, password):
    turns, login = 0, asyncio.ensure_future(authenticator.authenticate(None, {"username": name, "password": password}))
    while not login.done():
        turns += 1
        await asyncio.sleep(0)
    return login.result(), turns

async def log_all_in(people):
    return await asyncio.gather(*(log_in(*person) for person in people))

print(asyncio.run(log_all_in(json.loads(sys.argv[1]))))"""


def log_in(system, *people):
    return eval(python(system, "-c", LOGIN, json.dumps(people)).stdout)


def test_the_hub_answers_others_while_passwords_are_compared_or_chosen(system):
    done = log_in(system, ("ann", "a first password"), ("ann", "another password"), ("Ben", "a first password"))
    assert [name for name, _ in done] == ["ann", None, "ben"]
    assert min(turns for _, turns in done) > 10


def test_who_chooses_a_password_first_has_it(system):
    (name, _), (other, _) = log_in(system, ("cleo", "a first password"), ("cleo", "another password"))
    assert (name, other) == ("cleo", None)


KILLED = """
import io, os, tempfile
from types import SimpleNamespace
from tljh.first_use import FirstUseAuthenticator
from tljh.passwords import is_password, set_password, stored_hash

database = tempfile.mkdtemp() + "/passwords.dbm"
authenticator = FirstUseAuthenticator(dbm_path=database)
changes = {
    "choose": lambda: set_password(database, "cleo", "a new password", rounds=4),
    "replace": lambda: set_password(database, "ann", "a new password", replace=True, rounds=4),
    "remove": lambda: authenticator.delete_user(SimpleNamespace(name="ann")),
}

def die_at(module, name):
    act = getattr(module, name)
    def counted(*arguments, **more):
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
        return act(*arguments, **more)
    setattr(module, name, counted)

left, all_moments = [0], 0
for change in changes.values():
    moments = 0
    while True:
        for name in "ann", "ben":
            set_password(database, name, "a first password", replace=True, rounds=4)
        authenticator.delete_user(SimpleNamespace(name="cleo"))
        child = os.fork()
        if child == 0:
            left[0] = moments
            for module, names in ((os, ("unlink", "rename", "replace", "fsync")), (io, ("open",))):
                for name in names:
                    die_at(module, name)
            change()
            os._exit(0)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert died in (0, 9), died
        passwords = ("a first password", "a new password")
        for name, absent in (("ann", change is changes["remove"]), ("ben", False), ("cleo", True)):
            stored = stored_hash(database, name)
            allowed = passwords[:1] if name == "ben" else passwords
            assert (absent and stored is None) or any(is_password(one, stored) for one in allowed), (name, moments)
        moments += 1
        all_moments += 1
        if died == 0:
            break
print(all_moments, sorted(os.listdir(os.path.dirname(database))))"""


def test_a_hub_killed_while_somebody_chooses_a_password_loses_none(system):
    """Whose password is lost, anybody may choose it."""
    moments, files = python(system, "-c", KILLED).stdout.split(maxsplit=1)
    assert int(moments) > 20
    assert eval(files) == ["passwords.dbm.dat", "passwords.dbm.dir"]
