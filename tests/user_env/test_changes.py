"""Changes: planned, tried out and switched to, or refused with nothing changed."""

import json
import os
import re
import shutil
import signal
import subprocess
import textwrap
import time

import pytest

from tests.machines.places import PROJECT, wait_for
from tests.user_env.terminal import Terminal


def refusal(installation, *arguments, **settings):
    """What a refused command says; it must give a reason and a hint."""
    done = installation.run(*arguments, check=False, **settings)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error: " in done.stderr
    return done.stderr


# Done

def test_install_upgrade_remove_and_export_do_what_they_say(installation):
    for version in ("1.0", "1.5", "2.0"):
        installation.make_wheel("lesson", version, requires=["Helper-Lib>=1"])
    installation.make_wheel("helper_lib", "1.1")
    done = installation.json("install", "lesson<2")
    assert done == {"generation": 2, "changes": [
        {"name": "helper-lib", "before": None, "after": "1.1"}, {"name": "lesson", "before": None, "after": "1.5"},
    ]}
    assert installation.json("install", "lesson") == {"generation": None, "changes": []}
    # What was asked for by name moves; what came along does not.
    installation.make_wheel("helper_lib", "1.2")
    done = installation.json("upgrade")
    assert done["changes"] == [{"name": "lesson", "before": "1.5", "after": "2.0"}]
    done = installation.json("upgrade", "Helper.Lib")
    assert done["changes"] == [{"name": "helper-lib", "before": "1.1", "after": "1.2"}]
    exported = installation.run("export").stdout
    assert "lesson==2.0\n" in exported and "helper-lib==1.2\n" in exported and "jupyterlab==" in exported
    assert installation.json("remove", "lesson")["changes"] == [{"name": "lesson", "before": "2.0", "after": None}]
    assert installation.python("import lesson", check=False).returncode != 0
    (installation.root / "requirements.txt").write_text(exported)
    done = installation.json("apply", "-f", installation.root / "requirements.txt")
    assert done["changes"] == [{"name": "lesson", "before": None, "after": "2.0"}]
    assert installation.run("export").stdout == exported


def test_a_dry_run_tells_and_changes_nothing(installation, unchanged):
    told = installation.json("install", "lesson", "--dry-run")
    assert told == {"generation": None, "changes": [{"name": "lesson", "before": None, "after": "1.0"}]}
    told = installation.json("remove", "nbgitpuller", "--dry-run")
    assert [step["name"] for step in told["changes"]] == ["nbgitpuller"]


def test_packages_that_admins_installed_by_hand_are_carried_along(installation):
    for name in ("lesson", "byhand"):
        installation.make_wheel(name, "1.0")
    installation.pip("install", "byhand")
    assert "+ byhand 1.0" in installation.run("list").stderr
    installation.run("install", "lesson")
    assert installation.python("import lesson, byhand; print(byhand.VERSION)") == "1.0"
    assert "by hand" not in installation.run("list").stderr
    assert installation.run("diff").stdout == "+ lesson 1.0\n"


def test_everybody_can_read_what_a_strict_admin_installs(installation):
    installation.make_wheel("lesson", "1.0")
    installation.run("install", "lesson", umask=0o077)
    installation.python("import lesson", user=65534, group=65534)
    assert installation.json("check")["sound"]


def test_a_package_that_needs_a_newer_one_takes_it_along_only_if_all_stay_content(installation):
    installation.make_wheel("base", "1.0")
    installation.make_wheel("base", "2.0")
    installation.make_wheel("old", "1.0", requires=["base<2"])
    installation.make_wheel("new", "1.0", requires=["base>=2"])
    installation.make_wheel("easy", "1.0", requires=["base"])
    installation.run("install", "old")
    told = refusal(installation, "install", "new")
    assert "`old` requires `base<2`" in told and "hint:" in told
    assert installation.active() == 2 and installation.numbers() == [1, 2]
    installation.run("install", "easy")
    assert installation.python("import base; print(base.VERSION)") == "1.0"
    # What was amiss before is told and stays possible.
    installation.pip("install", "base==2.0")
    assert "`old` requires `base<2`" in installation.run("install", "new").stderr


def test_the_hubs_part_is_not_moved(installation, unchanged):
    installation.make_wheel("jupyterhub", "99.0")
    installation.make_wheel("greedy", "1.0", requires=["jupyterhub>=99"])
    assert "jupyterhub" in refusal(installation, "install", "greedy")
    assert "no versions fit" in refusal(installation, "install", "jupyterhub>=99")


def test_a_file_may_name_a_wheel_beside_it_which_export_remembers(installation):
    installation.make_wheel("lesson", "1.0")
    (installation.wheels / "requirements.txt").write_text("./lesson-1.0-py3-none-any.whl\n")
    installation.run("apply", "-f", installation.wheels / "requirements.txt")
    assert installation.python("import lesson; print(lesson.VERSION)") == "1.0"
    address = f"file://{installation.wheels}/lesson-1.0-py3-none-any.whl"
    assert f"lesson @ {address}\n" in installation.run("export").stdout
    listed = {package["name"]: package for package in installation.json("list")["packages"]}
    assert listed["lesson"]["source"] == address


def test_a_configuration_that_somebody_left_where_the_command_is_given_is_not_read(installation, tmp_path):
    installation.make_wheel("lesson", "1.0")
    (tmp_path / "uv.toml").write_text('no-index = true\n')
    done = subprocess.run(installation.command("install", "lesson", "--dry-run"), capture_output=True, text=True,
                          cwd=tmp_path, env=installation.environment())
    assert done.returncode == 0 and "+ lesson 1.0" in done.stderr, done.stderr


def test_the_example_of_another_index_in_the_documentation_is_read(installation, tmp_path):
    installation.make_wheel("lesson", "1.0")
    text = (PROJECT / "docs/user-environment.md").read_text()
    example = re.search(r"## An index of one's own\n.*?\n\n((?:    .*\n)+)", text, re.DOTALL)[1]
    address = re.search(r'"(https://.*)"', example)[1]
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text(textwrap.dedent(example).replace(address, installation.index.url))
    # uv looks here for the system's configuration before it looks in /etc.
    installation.run("install", "lesson", UV_DEFAULT_INDEX="", XDG_CONFIG_DIRS=str(tmp_path))
    assert installation.python("import lesson; print(lesson.VERSION)") == "1.0"


# Refused

def test_a_file_that_is_not_there_and_a_python_that_does_not_start_are_told(installation):
    assert "could not read `/nonexistent`" in refusal(installation, "apply", "-f", "/nonexistent")
    os.unlink(installation.link / "bin/python")
    (installation.link / "bin/python").symlink_to("/usr/bin/python2.4")
    installation.make_wheel("lesson", "1.0")
    told = refusal(installation, "install", "lesson")
    assert "Python" in told and "sudo tljh-user-env repair" in told


def test_an_unknown_package_is_named(installation, unchanged):
    told = refusal(installation, "install", "nonsense-package")
    assert "nonsense-package" in told and "hint: check the spelling" in told


def test_conflicting_requirements_are_explained(installation, unchanged):
    installation.make_wheel("one", "1.0", requires=["base<2"])
    installation.make_wheel("two", "1.0", requires=["base>=2"])
    installation.make_wheel("base", "1.0")
    installation.make_wheel("base", "2.0")
    told = refusal(installation, "install", "one", "two")
    assert "no versions fit together" in told and "base" in told and "hint:" in told


def test_no_network_is_told(installation, unchanged):
    told = refusal(installation, "install", "lesson", UV_DEFAULT_INDEX="http://127.0.0.1:9/simple/")
    assert "could not be reached" in told and "hint: check the network" in told


def test_an_index_that_is_half_way_down_is_told(installation, unchanged):
    installation.index.cut.add("lesson-1.0-py3-none-any.whl")
    told = refusal(installation, "install", "lesson")
    assert "hint:" in told and "nothing was changed" in told


def test_a_wrong_hash_is_told(installation, unchanged):
    installation.index.wrong.add("lesson-1.0-py3-none-any.whl")
    told = refusal(installation, "install", "lesson")
    assert "is not what it should be" in told and "Hash mismatch" in told
    file = installation.root / "requirements.txt"
    file.write_text(f"lesson==1.0 --hash=sha256:{'1' * 64}\n")
    installation.index.wrong.clear()
    assert "is not what it should be" in refusal(installation, "apply", "-f", file)


@pytest.mark.parametrize("word", ["--index-url", "/etc/passwd", "../x", "https://example.org/x.whl", "a b", "-r"])
def test_options_paths_and_addresses_are_no_names(installation, unchanged, word):
    for command in ("install", "remove", "upgrade"):
        done = installation.run(command, "--", word, check=False)
        assert done.returncode == 2 and word in done.stderr, done.stderr


def test_what_is_not_there_or_needed_is_not_removed(installation, unchanged):
    assert "`nonsense` is not installed" in refusal(installation, "remove", "nonsense")
    assert "`lesson` is not installed" in refusal(installation, "upgrade", "lesson")
    assert "servers and kernels are made of" in refusal(installation, "remove", "jupyterlab")
    # Others need it.
    assert "requires `tornado" in refusal(installation, "remove", "tornado")


def test_a_package_that_breaks_servers_is_refused(installation, unchanged):
    # Runs when JupyterLab's server starts, as an extension would.
    installation.make_wheel("breaker", "1.0", {
        "breaker.pth": "import sys; sys.modules['jupyter_server.serverapp'] = None\n",
    })
    told = refusal(installation, "install", "breaker")
    assert "a user's server does not start" in told and "jupyter_server" in told and "hint:" in told


def test_a_package_that_breaks_kernels_is_refused(installation, unchanged):
    installation.make_wheel("breaker", "1.0", {"breaker.pth": "import sys; sys.modules['IPython'] = None\n"})
    assert "a kernel does not start" in refusal(installation, "install", "breaker")


def test_a_full_disk_is_told_before_and_meanwhile(installation, unchanged):
    installation.make_wheel("big", "1.0", {"big/data.txt": "0" * 400_000_000})
    filler = installation.root / "filler"
    try:
        for left, said in ((100_000_000, "needs 300 MB"), (320_000_000, "the disk became full")):
            filler.unlink(missing_ok=True)
            free = shutil.disk_usage(installation.root).free
            subprocess.run(["fallocate", "-l", str(free - left), filler], check=True)
            told = refusal(installation, "install", "big")
            assert said in told and "hint: free some space" in told and "prune" in told
    finally:
        filler.unlink(missing_ok=True)


def test_only_root_changes_anything(installation, unchanged):
    done = subprocess.run(installation.command("install", "lesson"), capture_output=True, text=True,
                          user=65534, group=65534, env=installation.environment())
    assert done.returncode == 1 and "only root" in done.stderr and "sudo" in done.stderr


# Asked

def answer(installation, line):
    """`install lesson` on a terminal, its question answered with `line`: exit code and what was shown."""
    terminal = Terminal(installation, "install", "lesson")
    terminal.wait_for("[Y/n]")
    terminal.type(line)
    return terminal.end(), terminal.shown


def test_on_a_terminal_the_plan_is_shown_and_a_no_changes_nothing(installation, unchanged):
    code, shown = answer(installation, "n\n")
    assert code == 1 and "+ lesson 1.0" in shown and "nothing was changed" in shown


def test_on_a_terminal_a_yes_goes_on(installation):
    installation.make_wheel("lesson", "1.0")
    code, shown = answer(installation, "\n")
    assert code == 0 and "generation 2 is active" in shown
    assert installation.python("import lesson; print(lesson.VERSION)") == "1.0"


# Two at once, and killed

def test_two_admins_at_once_change_one_after_the_other(installation):
    for name in ("one", "two"):
        installation.make_wheel(name, "1.0")
    running = [subprocess.Popen(installation.command("install", name), env=installation.environment(SUDO_USER=name),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in ("one", "two")]
    printed = [each.communicate(timeout=600)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], printed
    assert "runs `install` since" in "".join(printed)
    assert installation.python("import one, two; print(one.VERSION, two.VERSION)") == "1.0 1.0"
    assert installation.numbers() == [1, 2, 3]


def test_killed_at_any_step_leaves_the_environment_and_the_next_command_works(installation):
    installation.make_wheel("lesson", "1.0")
    generations = installation.generations
    states = {
        "a record": lambda: (generations / "2.json").exists(),
        "a folder": lambda: (generations / "2").is_dir(),
        "a half-made copy": lambda: len(list(installation.folder(2).glob("lib/python3.*/site-packages/*"))) > 20,
        "an installed package": lambda: list(installation.folder(2).glob("lib/python3.*/site-packages/lesson")),
        "a throw-away server": lambda: installation.processes("-u", "nobody"),
        "a finished record": lambda: json.loads((generations / "2.json").read_text())["state"] == "ready",
    }
    for name, reached in states.items():
        command = subprocess.Popen(installation.command("install", "lesson"), env=installation.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_for(lambda: reached() or command.poll() is not None, 300, name, interval=0.002)
            assert command.poll() is None, name
        finally:
            command.send_signal(signal.SIGKILL)
            command.wait()
        wait_for(lambda: not installation.processes(), 60, "uv and the throw-away server end with their parent")
        assert installation.active() in ((1,) if name != "a finished record" else (1, 2)), name
        installation.python("import jupyterhub.singleuser, jupyterlab, ipykernel")
        assert installation.json("check")["sound"], name
        installation.run("rollback", 1)
        if 2 in installation.numbers():
            installation.run("prune", "--keep", 0)
        assert installation.numbers() == [1], name
    assert installation.json("install", "lesson")["generation"] == 2


def test_killed_after_growing_delays_leaves_the_environment(installation):
    installation.make_wheel("lesson", "1.0")
    killed = 0
    for delay in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2):
        command = subprocess.Popen(installation.command("install", "lesson"), env=installation.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        # Time is the point here: the power may fail at any moment.
        time.sleep(delay)
        ended = command.poll() is not None
        if not ended:
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()
            killed += 1
        installation.python("import jupyterhub.singleuser, jupyterlab, ipykernel")
        assert installation.json("check")["sound"], delay
        if ended or installation.active() == 2:
            # This machine was quicker than the delay: longer ones would break nothing off.
            assert installation.python("import lesson; print(lesson.VERSION)") == "1.0"
            installation.run("rollback", 1)
            installation.run("prune", "--keep", 0)
            break
        assert installation.active() == 1, delay
    assert killed >= 3
    assert installation.active() == 1
    assert installation.json("install", "lesson")["generation"] == 2
    assert installation.numbers() == [1, 2]
