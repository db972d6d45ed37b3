"""An environment of upstream's becomes the first generation, or is kept where it cannot serve people."""

import json
import shutil
import signal
import subprocess

import pytest

from tests.machines.places import wait_for
from tests.user_env.bundles import Bundle
from tests.user_env.upstreams import as_upstreams, inside, take_over


@pytest.fixture
def pips(installation):
    """A virtual environment to which an administrator added something by pip; its JupyterHub is an earlier one."""
    installation.make_wheel("course", "3.1", requires=["came-along"])
    installation.make_wheel("came_along", "1.0")
    installation.pip("install", "course")
    installation.before = as_upstreams(installation, 1)
    installation.bundle = Bundle(installation)
    installation.bundle.renew("jupyterhub", "100.0")
    return installation


def test_its_packages_stay_and_jupyterhub_alone_follows_the_hub(pips):
    told = take_over(pips)
    assert (told["generation"], told["engine"], told["refused"], told["missing"]) == (1, "venv", None, [])
    assert told["other_hub"] is None
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


def test_jupyterhub_stays_as_it_is_where_the_package_has_not_all_that_the_hubs_needs(pips):
    pips.bundle.renew("jupyterhub", "101.0", requires=["of-another-python"])
    told = take_over(pips)
    assert (told["generation"], told["refused"], told["missing"]) == (1, None, [])
    assert pips.python("import jupyterhub, course; print(jupyterhub.__version__, course.VERSION)") == f"{told['other_hub']} 3.1"
    assert told["other_hub"] != "101.0"
    assert pips.json("check")["sound"]
