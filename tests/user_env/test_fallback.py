"""`fallback`: where no server starts from the active generation, another one stands in until it is mended."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest

SOUND = {"generation": None, "mended": False}
TRIAL = "trying out"


@pytest.fixture
def taught(installation):
    """Generation 2 has the package `lesson`; bytecode is there."""
    installation.make_wheel("lesson", "1.0")
    installation.run("install", "lesson")
    return installation


def break_packages(installation):
    """What no server survives, done with pip."""
    installation.make_wheel("tornado", "1.0")
    installation.pip("install", "--force-reinstall", "--no-deps", "tornado==1.0")


def break_python(installation):
    os.unlink(installation.link / "bin/python")


def standing_in(installation):
    """The generation that stands in, which works in everybody's hands."""
    told = installation.json("fallback")
    folder = installation.folder(told["generation"])
    assert (told["folder"], told["link"]) == (str(folder), str(installation.link))
    run_in(folder, "import jupyterhub.singleuser, jupyterlab, ipykernel")
    return told["generation"]


def run_in(folder, code, *arguments, **settings):
    """What `code` prints on the Python of the generation in `folder`, for somebody without rights."""
    environment = {"PATH": "/usr/bin:/bin", **settings}
    return subprocess.run(
        [folder / "bin/python", *(arguments or ("-c", code))], capture_output=True, text=True, cwd="/", check=True,
        env=environment, user=65534, group=65534,
    ).stdout.strip()


def record(installation):
    path = installation.generations / "fallback.json"
    return json.loads(path.read_text()) if path.exists() else None


def is_sound(installation):
    return installation.run("check", check=False).returncode == 0


def test_a_sound_environment_is_not_blamed_and_tried_once_in_a_minute(taught):
    first = taught.run("fallback", "--json")
    assert json.loads(first.stdout) == SOUND and TRIAL in first.stderr
    second = taught.run("fallback", "--json")
    assert json.loads(second.stdout) == SOUND and TRIAL not in second.stderr
    assert record(taught) is None and taught.numbers() == [1, 2]


def break_program(installation):
    os.unlink(installation.link / "bin/jupyterhub-singleuser")


@pytest.mark.parametrize("spoil", [break_packages, break_python, break_program])
def test_the_last_good_state_stands_in_and_nothing_is_switched(taught, spoil):
    taught.run("fallback")
    spoil(taught)
    assert standing_in(taught) == 3
    assert taught.active() == 2
    assert run_in(taught.folder(3), "import lesson, tornado.web; print(lesson.VERSION)") == "1.0"
    again = taught.run("fallback", "--json")
    assert json.loads(again.stdout)["generation"] == 3 and TRIAL not in again.stderr
    assert taught.numbers() == [1, 2, 3]


def test_check_tells_everybody_what_stands_in_and_why(taught):
    break_packages(taught)
    taught.run("fallback")
    done = subprocess.run(taught.command("check"), capture_output=True, text=True, user=65534, group=65534,
                          env=taught.environment(HOME="/nonexistent"))
    assert done.returncode == 1
    assert "servers are started from generation 3 since" in done.stdout and "tornado" in done.stdout
    assert "sudo tljh-user-env repair" in done.stderr
    told = json.loads(taught.run("check", "--json", check=False).stdout)
    assert (told["fallback"], told["sound"]) == (3, False)


def test_a_class_shares_one_trial(taught):
    break_packages(taught)
    class_ = [subprocess.Popen(taught.command("fallback", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=taught.environment()) for _ in range(8)]
    answers = [one.communicate() for one in class_]
    assert {json.loads(told)["generation"] for told, _ in answers} == {3}
    assert sum(TRIAL in said for _, said in answers) == 1
    assert taught.numbers() == [1, 2, 3]


def test_kernels_and_programs_of_the_one_that_stands_in_are_its_own(taught):
    break_python(taught)
    number = standing_in(taught)
    folder, programs = taught.folder(number), taught.generations / "fallback-bin"
    where = "import sys; print(sys.executable, sys.prefix)"
    own, link = f"{folder}/bin/python", f"{taught.link}/bin/python"
    assert run_in(folder, where, TLJH_GENERATION=str(folder)).split() == [own, str(folder)]
    assert run_in(folder, where).split() == [link, str(folder)]
    # What uv asks, to write down into programs.
    assert run_in(folder, "", "-I", "-c", where, TLJH_GENERATION=str(folder)).split()[0] == link
    # The programs that pip installs outlive this generation.
    site = "import sys; print(sys.executable)"
    shown = run_in(folder, "", "-c", site, "pip", TLJH_GENERATION=str(folder))
    assert shown == link
    told = subprocess.run([programs / "jupyter", "server", "--version"], capture_output=True, text=True, check=True,
                          env={"PATH": f"{programs}:{folder}/bin:/usr/bin:/bin", "HOME": "/nonexistent"},
                          user=65534, group=65534)
    assert told.stdout[0].isdigit()


def test_modes_that_a_strict_umask_spoilt_are_set_right_at_once(taught):
    (taught.site() / "tornado").chmod(0o700)
    assert taught.json("fallback") == {"generation": None, "mended": True}
    assert taught.numbers() == [1, 2] and record(taught) is None
    # The others of the class try again too.
    assert taught.json("fallback") == {"generation": None, "mended": True}
    assert is_sound(taught)


def test_without_a_copy_the_generation_before_stands_in(taught):
    shutil.rmtree(taught.generations / ".private")
    break_packages(taught)
    assert standing_in(taught) == 1
    assert taught.numbers() == [1, 2]


def test_while_somebody_changes_the_environment_the_generation_before_stands_in(taught):
    break_packages(taught)
    with open(taught.generations / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert standing_in(taught) == 1
    assert taught.numbers() == [1, 2]


def test_in_the_end_the_bundle_makes_one(taught):
    shutil.rmtree(taught.generations / ".private")
    for number in (1, 2):
        shutil.rmtree(taught.site(number) / "jupyter_server")
    assert standing_in(taught) == 3
    assert taught.active() == 2
    # The pristine one is what the bundle made last.
    assert taught.json("prune", "--keep", "0")["removed"] == [1]


def test_a_lost_link_or_folder_is_stood_in_for_with_all_that_was_installed(taught):
    os.unlink(taught.link)
    assert standing_in(taught) == 2 and not os.path.lexists(taught.link)
    assert TRIAL not in taught.run("fallback").stderr
    taught.run("repair")
    assert taught.active() == 2 and record(taught) is None
    shutil.rmtree(taught.folder(2))
    assert standing_in(taught) == 3
    taught.run("repair")
    assert taught.active() == 3 and record(taught) is None
    assert taught.python("import lesson; print(lesson.VERSION)") == "1.0"


def test_a_generation_with_a_damaged_record_is_stood_in_for(taught):
    (taught.generations / "2.json").write_text("{")
    assert standing_in(taught) == 1 and "2.json" in record(taught)["reason"]


def test_what_was_mended_by_hand_is_noticed(taught):
    target = os.readlink(taught.link / "bin/python")
    break_python(taught)
    assert standing_in(taught) == 3
    os.symlink(target, taught.link / "bin/python")
    assert taught.json("fallback") == SOUND
    assert record(taught) is None and not (taught.generations / "fallback-bin").exists()


def test_what_is_still_broken_after_a_change_by_hand_keeps_its_stand_in(taught):
    break_packages(taught)
    assert standing_in(taught) == 3
    taught.make_wheel("byhand", "1.0")
    taught.pip("install", "byhand")
    assert standing_in(taught) == 3
    assert taught.numbers() == [1, 2, 3]


def test_a_stand_in_that_is_spoilt_too_is_replaced(taught):
    break_packages(taught)
    assert standing_in(taught) == 3
    shutil.rmtree(taught.folder(3))
    assert standing_in(taught) != 2
    assert taught.active() == 2


def test_repair_makes_the_stand_in_active_and_says_what_had_changed(taught):
    break_packages(taught)
    assert standing_in(taught) == 3
    done = taught.run("repair")
    assert "~ tornado" in done.stderr and "-> 1.0" in done.stderr and "generation 3 is active" in done.stderr
    assert taught.active() == 3 and taught.numbers() == [1, 2, 3]
    assert record(taught) is None and is_sound(taught)
    assert taught.json("fallback") == SOUND


def test_repair_of_what_was_mended_by_hand_ends_the_stand_in(taught):
    target = os.readlink(taught.link / "bin/python")
    break_python(taught)
    assert standing_in(taught) == 3
    os.symlink(target, taught.link / "bin/python")
    assert "nothing to repair" in taught.run("repair").stderr
    assert record(taught) is None and is_sound(taught)


def test_another_generation_that_becomes_active_needs_no_stand_in(taught):
    break_packages(taught)
    assert standing_in(taught) == 3
    taught.run("rollback", 1)
    assert record(taught) is None and is_sound(taught)


def test_a_stand_in_is_not_pruned(taught):
    break_packages(taught)
    assert standing_in(taught) == 3
    taught.run("prune", "--keep", "0")
    assert taught.numbers() == [1, 2, 3]


def test_what_is_no_environment_of_ours_is_not_stood_in_for(taught):
    os.unlink(taught.link)
    taught.link.mkdir()
    (taught.link / "mine").touch()
    refused = taught.run("fallback", check=False)
    assert refused.returncode == 1 and record(taught) is None


def test_only_root_finds_out(taught):
    done = subprocess.run(taught.command("fallback"), capture_output=True, text=True, user=65534, group=65534,
                          env=taught.environment(HOME="/nonexistent"))
    assert done.returncode == 1 and "sudo" in done.stderr


def test_the_bundles_own_is_there_for_ever(taught):
    """Without a network and without the bundle: generation 1 was spoilt by hand, and so was what came from it."""
    taught.run("repair")
    (taught.root / "usr/lib/tljh-user-env/wheels").unlink()
    for number in (1, 2):
        shutil.rmtree(taught.site(number) / "jupyter_server")
    sealed = taught.generations / ".private/sealed"
    assert sorted(path.name for path in sealed.iterdir()) == ["1", "2"]
    shutil.rmtree(sealed / "2")
    assert standing_in(taught) == 3
    taught.run("repair")
    assert taught.active() == 3 and is_sound(taught)
    assert taught.python("import lesson", check=False).returncode != 0
