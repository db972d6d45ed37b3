"""`check` and `repair`: what is wrong is found, and mended with as much as can be kept."""

import json
import os
import shutil
import subprocess

import pytest


@pytest.fixture
def taught(installation):
    """Generation 2 has the package `lesson`."""
    installation.make_wheel("lesson", "1.0")
    installation.run("install", "lesson")
    return installation


def problems(installation):
    done = installation.run("check", "--json", check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["sound"] else 1)
    assert told["sound"] is (told["problems"] == [])
    assert ("repair" in done.stderr) is not told["sound"]
    return told["problems"]


def assert_mended(installation, generation):
    assert installation.active() == generation
    assert problems(installation) == []
    installation.python("import jupyterhub.singleuser, jupyterlab, ipykernel", user=65534, group=65534)


def test_a_sound_environment_is_sound_for_everybody_who_looks(taught):
    assert problems(taught) == []
    done = subprocess.run(taught.command("check"), capture_output=True, text=True, user=65534, group=65534,
                          env=taught.environment(HOME="/nonexistent"))
    assert (done.returncode, done.stdout) == (0, "generation 2 is sound\n"), done.stderr
    assert taught.run("check", "--deep").returncode == 0
    repaired = taught.run("repair")
    assert "nothing to repair" in repaired.stderr and taught.numbers() == [1, 2]


def test_a_change_by_hand_is_told_and_is_no_fault(taught):
    taught.make_wheel("byhand", "1.0")
    taught.pip("install", "byhand")
    told = taught.json("check")
    assert told["sound"] and told["by_hand"] == [{"name": "byhand", "before": None, "after": "1.0"}]
    assert "nothing to repair" in taught.run("repair").stderr
    assert taught.python("import byhand; print(byhand.VERSION)") == "1.0"


def test_a_package_by_hand_that_breaks_servers_is_taken_back_alone(taught):
    taught.make_wheel("tornado", "1.0")
    taught.pip("install", "--force-reinstall", "--no-deps", "tornado==1.0")
    assert taught.run("check", "--deep", check=False).returncode == 1
    done = taught.run("repair")
    assert "~ tornado" in done.stderr and "-> 1.0" in done.stderr
    assert_mended(taught, 3)
    assert taught.python("import lesson, tornado.web; print(lesson.VERSION)") == "1.0"


def test_lost_and_emptied_files_are_found_and_come_back(taught):
    shutil.rmtree(taught.site() / "jupyter_server")
    os.unlink(taught.site() / "tornado/web.py")
    (taught.site() / "tornado/web.py").write_text("")
    found = "\n".join(problems(taught))
    assert "`jupyter-server` are missing" in found and "tornado/web.py" in found
    taught.run("repair")
    assert_mended(taught, 3)
    assert taught.python("import lesson; print(lesson.VERSION)") == "1.0"


def test_modes_that_a_strict_umask_spoilt_are_set_right(taught):
    taught.make_wheel("byhand", "1.0")
    taught.pip("install", "byhand", umask=0o077)
    assert "cannot be read by everybody" in problems(taught)[0]
    done = taught.run("repair")
    assert "can be read again" in done.stderr
    assert_mended(taught, 2)
    taught.python("import byhand", user=65534, group=65534)


def test_a_python_that_does_not_start_is_found_and_mended(taught):
    os.unlink(taught.link / "bin/python")
    (taught.link / "bin/python").symlink_to("/usr/bin/python2.4")
    assert "its Python does not start" in problems(taught)[0]
    assert "lesson" in taught.run("list").stdout
    taught.run("repair")
    assert_mended(taught, 3)


def test_packages_for_another_python_are_found(taught):
    site = taught.site()
    other = site.parents[1] / "python3.4"
    site.parent.rename(other)
    assert "made for python3.4" in problems(taught)[0]
    taught.run("repair")
    assert_mended(taught, 3)


def test_without_its_own_copy_the_generation_before_comes_back(taught):
    shutil.rmtree(taught.generations / ".private")
    shutil.rmtree(taught.site() / "jupyter_server")
    taught.run("repair")
    assert_mended(taught, 1)


def test_in_the_end_the_bundle_makes_a_new_one(taught):
    shutil.rmtree(taught.generations / ".private")
    for number in (1, 2):
        shutil.rmtree(taught.site(number) / "jupyter_server")
    taught.run("repair")
    assert_mended(taught, 3)
    assert taught.python("import lesson", check=False).returncode != 0


def test_a_fresh_environment_can_be_had_and_be_taken_back(taught):
    assert taught.json("repair", "--fresh") == {"repair": "switched", "generation": 3}
    assert_mended(taught, 3)
    assert taught.python("import lesson", check=False).returncode != 0
    taught.run("rollback")
    assert taught.active() == 2
    assert taught.python("import lesson; print(lesson.VERSION)") == "1.0"


def test_a_generation_that_was_changed_by_hand_is_tried_out_before_a_rollback(taught):
    taught.make_wheel("tornado", "1.0")
    taught.pip("install", "--force-reinstall", "--no-deps", "tornado==1.0")
    taught.run("rollback")
    refused = taught.run("rollback", 2, check=False)
    assert refused.returncode == 1 and "does not start" in refused.stderr
    assert_mended(taught, 1)


def test_an_upgrade_of_the_package_does_not_fail_for_what_somebody_broke_by_hand(taught):
    shutil.rmtree(taught.link / "lib")
    assert "sudo tljh-user-env repair" in taught.run("ensure").stderr
    assert (taught.active(), taught.numbers()) == (2, [1, 2])
    taught.run("repair")
    assert_mended(taught, 3)
