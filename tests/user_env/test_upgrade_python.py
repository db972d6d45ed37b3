"""The system gets another Python: the environment is made anew for it, with what administrators had."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.machines.base import ensure_base
from tests.user_env.conftest import Nowhere
from tests.user_env.index import Index
from tests.user_env.pythons import NEW, OLD, System, bundle, make_system, mount_overlay

TRY_AGAIN = "sudo tljh-user-env upgrade-python"
VERSION = "import sys; print('python3.%d' % sys.version_info[1])"


@pytest.fixture(scope="module")
def made():
    """Layers of a system of the old Python with generation 1, and a folder for more."""
    folder = Path(tempfile.mkdtemp(prefix="tljh-pythons-"))
    # In memory: tens of thousands of files for each test.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=5g", "pythons", folder], check=True)
    base = ensure_base(NEW[0])
    mount_overlay([base], folder / "made", folder / "root")
    system = make_system(folder / "root")
    system.index = Nowhere
    system.mount()
    system.run("ensure")
    # Else each trial would compile JupyterLab.
    system.run("compile")
    system.unmount()
    yield folder, [folder / "made/upper", base]
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@pytest.fixture
def system(made):
    folder, layers = made
    mount_overlay(layers, folder / "test", root := folder / "system")
    system = System(root)
    system.mount()
    system.index = Index(system.wheels)
    yield system
    system.index.close()
    system.unmount()
    root.rmdir()
    shutil.rmtree(folder / "test")


def upgrade_system(system):
    """As apt leaves it: the new Python and the package for it, the old Python still there."""
    system.set_python(NEW[1])
    system.set_bundle(NEW[0])


def versions(system):
    return {package["name"]: package["version"] for package in system.json("list")["packages"]}


def assert_sound(system, python):
    assert system.python(VERSION) == python
    assert system.json("check")["sound"]
    assert system.python("import jupyterhub.singleuser, jupyterlab, ipykernel; print(1)") == "1"


def test_without_a_change_nothing_is_done(system):
    done = system.run("upgrade-python")
    assert "nothing to change" in done.stderr and system.numbers() == [1]
    assert system.run("upgrade-python", "--if-changed").stderr == ""


def test_all_is_made_anew_at_its_version_else_newer_else_it_is_listed_and_tried_again(system):
    old = OLD[1].replace("python3.", "cp3")
    for version, tag in (("1.0", "py3-none-any"), ("2.0", "py3-none-any")):
        system.make_wheel("lesson", version, tag=tag, requires=["came-along"])
    system.make_wheel("came_along", "1.0")
    system.make_wheel("bound", "1.0", tag=f"{old}-{old}-linux_x86_64")
    system.make_wheel("bound", "2.0")
    system.make_wheel("gone", "1.0", tag=f"{old}-{old}-linux_x86_64")
    system.make_wheel("byhand", "1.0")
    system.run("install", "lesson<2", "bound<2", "gone")
    system.run("remove", "nbgitpuller")
    system.pip("install", "byhand")
    # Newer ones, which nobody asked for.
    for name in ("came_along", "byhand"):
        system.make_wheel(name, "3.0")
    before = versions(system)
    upgrade_system(system)
    # The old Python is still there, so the old environment is, until the new one is.
    assert system.python(VERSION) == OLD[1] and system.json("check")["sound"]
    told = system.json("upgrade-python", "--dry-run")
    assert told["missing"] == {"gone": {"version": "1.0"}} and told["generation"] is None and system.active() == 3
    done = system.run("upgrade-python", "--if-changed")
    assert "missing since" in done.stderr and "gone 1.0" in done.stderr and TRY_AGAIN in done.stderr
    assert_sound(system, NEW[1])
    assert system.active() == 4
    now = versions(system)
    assert {name: now.get(name) for name in ("lesson", "bound", "gone", "byhand", "came-along", "nbgitpuller")} == {
        "lesson": "1.0", "bound": "2.0", "gone": None, "byhand": "1.0", "came-along": "1.0", "nbgitpuller": None}
    assert now["jupyterlab"] == before["jupyterlab"]
    record = json.loads((system.generations / "4.json").read_text())
    assert record["missing"] == {"gone": {"version": "1.0"}} and record["requested"] == ["bound", "gone", "lesson"]
    assert system.json("check")["missing"] == {"gone": {"version": "1.0"}}
    assert "gone 1.0" in system.run("check").stdout
    assert system.run("ensure").stderr == ""
    # Not at each start of the hub, but on request.
    assert system.run("upgrade-python", "--if-changed").stderr == "" and system.numbers() == [1, 2, 3, 4]
    assert system.json("upgrade-python")["missing"] == {"gone": {"version": "1.0"}}
    assert system.numbers() == [1, 2, 3, 4]
    system.make_wheel("gone", "1.1")
    assert system.json("upgrade-python")["missing"] == {}
    assert versions(system)["gone"] == "1.1" and system.active() == 5
    assert "nothing to change" in system.run("upgrade-python").stderr
    # Who goes back is not brought forward at each start.
    system.run("rollback", 3)
    assert system.python(VERSION) == OLD[1]
    assert "went back" in system.run("upgrade-python", "--if-changed").stderr and system.active() == 3


def test_without_a_network_the_bundle_serves_and_the_rest_is_completed_later(system):
    system.make_wheel("lesson", "1.0")
    system.run("install", "lesson")
    shutil.rmtree(system.generations / ".private")
    upgrade_system(system)
    # After `apt autoremove`, or in the image of another machine.
    system.remove_python(OLD[1])
    assert system.run("check", check=False).returncode == 1
    done = system.run("upgrade-python", "--if-changed", UV_DEFAULT_INDEX=Nowhere.url)
    assert "could not be reached" in done.stderr and "lesson 1.0" in done.stderr
    assert_sound(system, NEW[1])
    assert system.json("upgrade-python", UV_DEFAULT_INDEX=Nowhere.url)["missing"] == {"lesson": {"version": "1.0"}}
    assert system.active() == 3
    # Nothing is lost with the next change.
    system.make_wheel("other", "1.0")
    system.run("install", "other")
    assert system.json("upgrade-python")["missing"] == {}
    assert system.python("import lesson, other; print(lesson.VERSION)") == "1.0"


def test_a_bundle_for_another_python_is_completed_from_the_index_or_refused(system):
    system.set_python(NEW[1])
    refused = system.run("upgrade-python", check=False, UV_DEFAULT_INDEX=Nowhere.url)
    assert refused.returncode == 1 and "markupsafe" in refused.stderr.lower() and "error:" in refused.stderr
    assert system.active() == 1 and system.numbers() == [1]
    assert_sound(system, OLD[1])
    for wheel in (bundle(NEW[0]) / "wheels").iterdir():
        shutil.copy(wheel, system.wheels)
    assert system.json("upgrade-python")["missing"] == {}
    assert_sound(system, NEW[1])
    # The right one comes later, and moves nothing.
    before = versions(system)
    system.set_bundle(NEW[0])
    system.run("ensure")
    assert versions(system) == before and system.active() == 2


def test_what_breaks_servers_on_the_new_python_is_left_out_only_where_there_is_no_way_back(system):
    breaker = "import sys\nif sys.version_info >= (3, 12): sys.modules['jupyter_server.serverapp'] = None\n"
    system.make_wheel("breaker", "1.0", {"breaker.pth": f"import sys; exec({breaker!r})\n"})
    system.run("install", "breaker")
    upgrade_system(system)
    refused = system.run("upgrade-python", "--if-changed", check=False)
    assert refused.returncode == 1 and "server does not start" in refused.stderr
    assert system.active() == 2 and system.numbers() == [1, 2]
    assert_sound(system, OLD[1])
    system.remove_python(OLD[1])
    done = system.run("upgrade-python", "--if-changed")
    assert "breaker 1.0" in done.stderr
    assert_sound(system, NEW[1])


def test_what_came_from_a_file_that_others_may_have_changed_is_not_taken_again(system):
    for name in ("safe", "unsafe"):
        folder = system.root / "srv" / name
        system.make_wheel(name, "1.0").rename(folder.mkdir() or folder / f"{name}-1.0-py3-none-any.whl")
        (folder / "requirements.txt").write_text(f"./{name}-1.0-py3-none-any.whl\n")
        system.run("apply", "-f", f"/srv/{name}/requirements.txt")
    (system.root / "srv/unsafe").chmod(0o777)
    # Somebody else's, of that name.
    system.make_wheel("unsafe", "1.0", {"unsafe/other.py": ""})
    upgrade_system(system)
    assert list(system.json("upgrade-python")["missing"]) == ["unsafe"]
    assert system.python("import safe; print(safe.VERSION)") == "1.0"


def test_an_environment_that_names_the_systems_python_by_its_link_is_given_its_own(system):
    link = system.folder(1) / "bin/python"
    link.unlink()
    link.symlink_to("/usr/bin/python3")
    upgrade_system(system)
    assert system.python("import jupyterlab", check=False).returncode != 0
    system.run("upgrade-python", "--if-changed")
    assert_sound(system, NEW[1])
    system.run("rollback")
    assert_sound(system, OLD[1])


def kernel_of(system, name):
    """Which Python and which `lesson` a named environment has."""
    code = "import lesson, sys; print('python3.%d' % sys.version_info[1], lesson.VERSION)"
    done = subprocess.run(system.chroot(f"/opt/tljh/envs/{name}/bin/python", "-c", code), capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


def test_named_environments_of_the_systems_python_follow_it_with_what_they_have(system):
    old = OLD[1].replace("python3.", "cp3")
    for name, version, tag in (("lesson", "1.0", "py3-none-any"), ("came_along", "1.0", "py3-none-any"),
                               ("gone", "1.0", f"{old}-{old}-linux_x86_64")):
        system.make_wheel(name, version, tag=tag, requires=["came-along"] if name == "lesson" else ())
    system.run("create", "stats", "--display-name", "Statistics 2", "lesson", "gone")
    for name in ("lesson", "came_along"):
        system.make_wheel(name, "3.0")
    upgrade_system(system)
    # A kernel with its packages is better than one of the new Python.
    done = system.run("upgrade-python", "--if-changed", UV_DEFAULT_INDEX=Nowhere.url)
    assert "environment `stats` stays as it is" in done.stderr and TRY_AGAIN in done.stderr
    assert system.python(VERSION) == NEW[1] and kernel_of(system, "stats") == f"{OLD[1]} 1.0"
    done = system.run("upgrade-python", "--if-changed")
    assert "environment `stats` has Python 3.13" in done.stderr and "gone 1.0" in done.stderr and TRY_AGAIN in done.stderr
    assert kernel_of(system, "stats") == f"{NEW[1]} 1.0"
    listed = {package["name"]: package["version"] for package in system.json("list", "--env", "stats")["packages"]}
    assert listed["came-along"] == "1.0" and "gone" not in listed
    (told,) = system.json("envs")
    assert (told["display_name"], told["missing"]) == ("Statistics 2", {"gone": {"version": "1.0"}})
    assert "environment `stats`: missing since the system's Python changed: gone 1.0" in system.run("check").stdout
    # Nothing more to do, and nothing to be had.
    assert system.run("upgrade-python", "--if-changed").stderr == ""
    assert system.json("upgrade-python")["environments"] == []
    system.make_wheel("gone", "1.1")
    assert system.json("upgrade-python")["environments"] == [{"name": "stats", "missing": {}}]
    assert "missing" not in system.run("check").stdout


def test_a_named_environment_stays_with_the_python_that_was_chosen_for_it_as_long_as_that_is_there(system):
    upgrade_system(system)
    system.run("upgrade-python")
    for wheel in (bundle(OLD[0]) / "wheels").iterdir():
        shutil.copy(wheel, system.wheels)
    system.make_wheel("lesson", "1.0")
    system.run("create", "chosen", "--python", OLD[1].removeprefix("python"), "lesson")
    assert system.run("upgrade-python", "--if-changed").stderr == ""
    assert kernel_of(system, "chosen") == f"{OLD[1]} 1.0"
    system.remove_python(OLD[1])
    system.run("upgrade-python", "--if-changed")
    assert kernel_of(system, "chosen") == f"{NEW[1]} 1.0"
