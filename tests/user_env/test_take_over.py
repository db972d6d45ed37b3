"""An environment of upstream's becomes the first generation, or is kept where it cannot serve people."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from tests.machines.places import wait_for
from tests.user_env.bundles import Bundle
from tests.user_env.test_conda import conda, switched  # noqa: F401 - fixtures

OURS = ("tljh_generation.py", "tljh-user-site.pth", "zz-tljh-generation.pth", ".tljh-environment.json", ".tljh-activation.json")


def as_upstreams(made, number):
    """Have the folder of a generation stand as upstream's environment does: for this path, and with nothing of ours."""
    made.link.unlink()
    made.folder(number).rename(made.link)
    shutil.rmtree(made.generations)
    for name in OURS:
        for path in made.link.rglob(name):
            path.unlink()
    made.kept = made.root / "opt/tljh/.upstream/user"
    made.kept.parent.mkdir()
    return inside(made.link)


def inside(folder):
    """Every file of an environment: inode, time, mode and length."""
    found = {path.relative_to(folder): path.lstat() for path in folder.rglob("*") if not path.is_dir()}
    return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_mode, stat.st_size)
            for path, stat in found.items() if "__pycache__" not in path.parts}


def take_over(made, **options):
    return json.loads(made.run("take-over", made.kept, **options).stdout)


@pytest.fixture
def pips(installation):
    """A virtual environment to which an administrator added something by pip; its JupyterHub is an earlier one."""
    installation.make_wheel("course", "3.1", requires=["came-along"])
    installation.make_wheel("came_along", "1.0")
    installation.pip("install", "course")
    installation.before = as_upstreams(installation, 1)
    Bundle(installation).renew("jupyterhub", "100.0")
    return installation


def test_its_packages_stay_and_jupyterhub_alone_follows_the_hub(pips):
    told = take_over(pips)
    assert (told["generation"], told["engine"], told["refused"], told["missing"]) == (1, "venv", None, [])
    assert pips.active() == 1
    assert pips.python("import course, came_along; print(course.VERSION, course.__file__.startswith('/'))") == "3.1 True"
    versions = {package["name"]: package["version"] for package in pips.json("list")["packages"]}
    assert versions["jupyterhub"] == "100.0"
    assert json.loads((pips.generations / "1.json").read_text())["requested"] == ["course"]
    assert pips.json("check")["sound"]
    # Nothing more moves when the package is configured, and a second time there is nothing to do.
    assert pips.run("ensure").stderr == ""
    assert take_over(pips) is None
    assert pips.numbers() == [1]


def test_the_tree_itself_is_not_written_to_and_comes_back_by_a_rename(pips):
    take_over(pips)
    pips.make_wheel("lesson", "1.0")
    pips.run("install", "lesson")
    pips.pip("install", "--no-deps", "--force-reinstall", "course")
    assert inside(pips.kept) == pips.before
    pips.link.unlink()
    pips.kept.rename(pips.link)
    assert pips.python("import jupyterhub, course; print(jupyterhub.__version__ != '100.0')") == "True"


def test_one_in_which_nobody_could_work_is_kept_and_what_it_had_is_told(pips):
    shutil.rmtree(pips.site() / "jupyter_server")
    told = take_over(pips)
    assert "a user's server does not start" in told["refused"]
    assert told["missing"] == ["course==3.1"]
    assert pips.json("check")["sound"]
    assert pips.python("import importlib.util as u; print(u.find_spec('course'))") == "None"
    assert (pips.kept / "bin/python").exists()
    # As the message says.
    wanted = pips.root / "wanted.txt"
    wanted.write_text("\n".join(told["missing"]) + "\n")
    pips.run("apply", "-f", wanted, "--yes")
    assert pips.python("import course; print(course.VERSION)") == "3.1"


def test_killed_at_any_moment_it_is_where_it_was_and_a_repetition_takes_it_over(pips):
    for moment in ("generations/1.json", "generations/1/bin/jupyter-lab", "generations/1/lib/python3*/site-packages/zz-tljh-generation.pth"):
        process = subprocess.Popen(pips.command("take-over", pips.kept), env=pips.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: list((pips.root / "opt/tljh").glob(moment)), 60, moment, 0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert pips.link.is_dir() and not pips.link.is_symlink()
        assert inside(pips.link) == pips.before
    assert take_over(pips)["generation"] == 1
    assert pips.numbers() == [1]
    assert pips.python("import course; print(course.VERSION)") == "3.1"


def test_an_environment_of_condas_goes_on_as_one(conda):  # noqa: F811
    conda.run("install", "answer", UV_OFFLINE="1")
    before = as_upstreams(conda, conda.active())
    told = take_over(conda)
    assert (told["generation"], told["engine"], told["refused"], told["missing"]) == (1, "conda", None, [])
    assert inside(conda.kept) == before
    assert conda.python("import answer; print(answer.VALUE)") == "42"
    assert conda.json("check")["sound"]
    # conda's own records are what the next change works with.
    conda.run("remove", "answer", "--yes", UV_OFFLINE="1")
    assert conda.active() == 2
    assert os.readlink(conda.link) == "generations/2"
