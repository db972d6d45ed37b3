"""Named environments: made, tried out and shown as kernels to everybody, changed beside those that run, taken away."""

import json
import os
import pty
import shutil
import signal
import subprocess
import time

import pytest

from tests.conda.channel import Channel, bundle_channel
from tests.machines.places import wait_for


@pytest.fixture
def lesson(installation):
    """An index with `lesson` and what it needs, which everybody's environment has not."""
    installation.make_wheel("lesson", "1.0", requires=["helper"], scripts={"lesson": "lesson:main"})
    installation.make_wheel("helper", "1.0")
    return installation


def kernels(installation):
    """The kernels of named environments, as Jupyter of everybody's environment lists them: title by name."""
    code = ("import json; from jupyter_client.kernelspec import KernelSpecManager\n"
            "specs = KernelSpecManager().get_all_specs()\n"
            "print(json.dumps({name: spec['spec']['display_name'] for name, spec in specs.items()}))")
    done = subprocess.run([installation.link / "bin/python", "-c", code], capture_output=True, text=True, check=True,
                          cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                                        "JUPYTER_PATH": str(installation.root / "opt/tljh/envs/.jupyter")},
                          user=65534, group=65534)
    listed = json.loads(done.stdout)
    listed.pop("python3")
    return listed


def names(installation):
    return [each["name"] for each in installation.json("envs")]


def link(installation, name):
    return installation.root / "opt/tljh/envs" / name


def generations(installation, name):
    """The numbers of all that is left of an environment."""
    folder = installation.root / "opt/tljh/envs/.generations" / name
    found = {path.name.removesuffix(".json") for path in folder.iterdir()} if folder.is_dir() else set()
    return sorted(int(number) for number in found if number.isdigit())


class Kernel:
    """A kernel of an environment, started by Jupyter's client of everybody's environment by a person without rights."""

    CLIENT = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=120)
print("ready", flush=True)
for line in sys.stdin:
    told = []
    hook = lambda message: told.append(message["content"])
    reply = client.execute_interactive(json.loads(line), output_hook=hook, timeout=60)
    print(json.dumps("".join(each.get("text", "") + "".join(each.get("traceback", [])) for each in told)), flush=True)
manager.shutdown_kernel(now=True)
"""

    def __init__(self, installation, name, home):
        home.mkdir(exist_ok=True)
        os.chown(home, 65534, 65534)
        self.client = subprocess.Popen(
            [installation.link / "bin/python", "-c", self.CLIENT, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=home, user=65534, group=65534,
            env={"PATH": f"{installation.link}/bin:/usr/bin:/bin", "HOME": str(home),
                 "JUPYTER_PATH": str(installation.root / "opt/tljh/envs/.jupyter")},
        )
        assert self.client.stdout.readline() == "ready\n"

    def run(self, code):
        self.client.stdin.write(json.dumps(code) + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def end(self):
        self.client.communicate(timeout=60)


@pytest.fixture
def start(installation, workshop):
    """Starts kernels, and ends those that the test did not end."""
    started = []

    def begin(name):
        started.append(Kernel(installation, name, workshop / f"home{len(started)}"))
        return started[-1]

    yield begin
    for number, kernel in enumerate(started):
        if kernel.client.poll() is None:
            kernel.end()
        shutil.rmtree(workshop / f"home{number}")


def refusal(installation, *arguments, code=1, **settings):
    done = installation.run(*arguments, check=False, **settings)
    assert done.returncode == code, done.stdout + done.stderr
    assert "error: " in done.stderr
    return done.stderr


# Made and shown

def test_a_created_environment_is_a_kernel_with_packages_that_only_it_has(lesson, start):
    made = lesson.json("create", "stats", "--display-name", "Statistics 2", "lesson")
    assert made["path"] == str(link(lesson, "stats")) and made["display_name"] == "Statistics 2"
    assert kernels(lesson) == {"stats": "Statistics 2"}
    kernel = start("stats")
    assert kernel.run("import lesson, helper; print(lesson.VERSION)") == "1.0\n"
    assert "No module named 'jupyterlab'" in kernel.run("import jupyterlab")
    # By its version: it starts as long as that is there, when the system has another Python.
    assert os.readlink(link(lesson, "stats") / "bin/python") == os.path.realpath("/usr/bin/python3")
    # What people type into a cell is about this environment.
    assert kernel.run("!which python").strip() == str(link(lesson, "stats") / "bin/python")
    assert kernel.run("import sys; print(sys.executable)").strip() == str(link(lesson, "stats") / "bin/python")
    assert "lesson" in kernel.run("!pip list 2>/dev/null")
    assert lesson.python("import lesson", check=False).returncode != 0
    assert (link(lesson, "stats") / "bin/lesson").read_text().startswith(f"#!{link(lesson, 'stats')}/bin/python\n")
    # Nothing of everybody's environment moved.
    assert lesson.active() == 1 and lesson.numbers() == [1]


def test_without_packages_neither_network_nor_index_is_needed(installation, start):
    installation.index.close()
    installation.run("create", "plain", UV_DEFAULT_INDEX="http://127.0.0.1:9/")
    assert kernels(installation) == {"plain": "plain"}
    assert start("plain").run("print(6 * 7)") == "42\n"


def test_environments_are_listed_for_people_and_programs(lesson):
    assert "no named environments" in lesson.run("envs").stderr
    lesson.run("create", "stats", "--display-name", "Statistics 2", "lesson")
    lesson.run("create", "plain")
    told = {each["name"]: each for each in lesson.json("envs")}
    version = lesson.python("import platform; print(platform.python_version())")
    assert told["stats"]["python"] == told["plain"]["python"] == version
    assert told["stats"]["engine"] == "venv" and told["stats"]["display_name"] == "Statistics 2"
    assert told["stats"]["packages"] == told["plain"]["packages"] + 2
    assert told["stats"]["bytes"] > told["plain"]["bytes"] > 10_000_000
    lines = lesson.run("envs").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["plain", version, "venv"], ["stats", version, "venv"]]
    assert lines[2].endswith("  Statistics 2")


def test_everybody_may_read_it_and_only_admins_may_write(lesson):
    lesson.run("create", "stats", "lesson", umask=0o077)
    folder = link(lesson, "stats")
    closed = subprocess.run(["find", f"{folder}/", lesson.root / "opt/tljh/envs/.jupyter", "!", "-perm", "-o=r"],
                            capture_output=True, text=True, check=True).stdout
    assert closed == ""
    writable = subprocess.run(["find", lesson.root / "opt/tljh/envs", "-writable", "!", "-type", "l"], text=True,
                              capture_output=True, user=65534, group=65534).stdout
    assert writable == ""


# Changed

def test_packages_of_an_environment_are_changed_beside_a_kernel_that_runs(lesson, start):
    lesson.make_wheel("late", "1.0", {"late/part.py": "VERSION = '1.0'\n"})
    lesson.run("create", "stats", "late<2")
    old = start("stats")
    assert old.run("import late; print(late.VERSION)") == "1.0\n"
    lesson.make_wheel("late", "2.0", {"late/part.py": "VERSION = '2.0'\n"})
    done = lesson.json("upgrade", "--env", "stats")
    assert done["changes"] == [{"name": "late", "before": "1.0", "after": "2.0"}]
    # A module that it had not imported yet.
    assert old.run("import late.part; print(late.part.VERSION)") == "1.0\n"
    new = start("stats")
    assert new.run("import late.part; print(late.part.VERSION)") == "2.0\n"
    new.end()
    done = lesson.json("install", "--env", "stats", "lesson")
    assert [each["name"] for each in done["changes"]] == ["helper", "lesson"]
    listed = {each["name"]: each["version"] for each in lesson.json("list", "--env", "stats")["packages"]}
    assert (listed["late"], listed["lesson"]) == ("2.0", "1.0") and "jupyterlab" not in listed
    exported = lesson.run("export", "--env", "stats").stdout
    assert "lesson==1.0\n" in exported
    assert lesson.json("remove", "--env", "stats", "lesson")["changes"][0]["after"] is None
    (lesson.root / "requirements.txt").write_text(exported)
    lesson.run("apply", "--env", "stats", "-f", lesson.root / "requirements.txt")
    assert lesson.run("export", "--env", "stats").stdout == exported
    # The one that runs keeps its generation; what nobody uses is gone but for the one before.
    assert generations(lesson, "stats") == [1, 4, 5]
    assert old.run("import late.part; print(late.part.VERSION)") == "1.0\n"
    old.end()
    lesson.run("prune")
    assert generations(lesson, "stats") == [4, 5]
    assert lesson.active() == 1 and lesson.numbers() == [1]


def test_a_change_that_breaks_the_kernel_is_not_made(lesson, start):
    lesson.run("create", "stats", "lesson")
    lesson.make_wheel("tornado", "99.0")
    lesson.make_wheel("greedy", "1.0", requires=["tornado>=99"])
    told = refusal(lesson, "install", "--env", "stats", "tornado>=99")
    assert "kernel does not start" in told and "hint:" in told
    assert generations(lesson, "stats") == [1]
    assert start("stats").run("import lesson; print(lesson.VERSION)") == "1.0\n"
    assert "servers and kernels are made of" in refusal(lesson, "remove", "--env", "stats", "ipykernel")


def test_an_environment_can_be_made_anew_with_its_packages(lesson, start):
    lesson.run("create", "stats", "--display-name", "Statistics", "lesson")
    lesson.make_wheel("lesson", "2.0", requires=["helper"])
    (link(lesson, "stats") / "bin/python").unlink()
    (link(lesson, "stats") / "bin/python").symlink_to("/usr/bin/python2.4")
    told = lesson.json("check")
    assert told["sound"] and told["environments"] == [{"name": "stats", "problem": "`/usr/bin/python2.4` is gone"}]
    printed = lesson.run("check").stdout
    assert "environment `stats`" in printed and "`sudo tljh-user-env create stats --again`" in printed
    assert "`sudo tljh-user-env create stats --again`" in lesson.run("repair").stderr
    lesson.run("create", "stats", "--again")
    assert lesson.json("check")["environments"] == []
    assert kernels(lesson) == {"stats": "Statistics"}
    assert start("stats").run("import lesson; print(lesson.VERSION)") == "1.0\n"


# Of conda's packages

@pytest.fixture
def channels(installation):
    """The configuration names channels with CPython and a kernel, and with `maps`."""
    extra = Channel(installation.root / "channel")
    for version in ("1.0", "2.0"):
        extra.add_module("maps", version)
    extra.write_index()
    path = installation.root / "etc/tljh/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"user_environment": {"channels": [bundle_channel().as_uri(), extra.url]}}))


def test_an_environment_of_condas_packages_has_its_own_python_and_is_changed_like_others(lesson, channels, start):
    made = lesson.json("create", "geo", "--conda", "maps=1.0", UV_OFFLINE="1")
    assert made["engine"] == "conda"
    assert kernels(lesson) == {"geo": "geo"}
    old = start("geo")
    told = old.run("import maps, sys; print(maps.VERSION, sys.executable)")
    assert told == f"1.0 {link(lesson, 'geo')}/bin/python\n"
    assert not (link(lesson, "geo") / "bin/python").resolve().is_relative_to("/usr")
    done = lesson.json("install", "--env", "geo", "maps=2.0")
    assert done["changes"] == [{"name": "maps", "before": "1.0", "after": "2.0"}]
    new = start("geo")
    assert new.run("import maps; print(maps.VERSION)") == "2.0\n"
    assert old.run("import sys, maps; print(maps.VERSION)") == "1.0\n"
    lesson.run("install", "--env", "geo", "--pip", "lesson")
    lesson.run("create", "geo", "--again", "--conda")
    again = start("geo")
    assert again.run("import lesson, maps; print(lesson.VERSION, maps.VERSION)") == "1.0 2.0\n"
    assert "`ipykernel` is what" in refusal(lesson, "remove", "--env", "geo", "ipykernel")
    assert not os.path.lexists(link(lesson, "geo") / "bin/conda")


def test_what_no_channel_has_leaves_no_environment(lesson, channels):
    told = refusal(lesson, "create", "geo", "--conda", "nonsense-package")
    assert "nonsense-package" in told
    assert "`python 3.4.*`" in refusal(lesson, "create", "geo", "--conda", "--python", "3.4")
    assert names(lesson) == [] and kernels(lesson) == {}


# Taken away

def test_delete_takes_environment_and_kernel_away_and_a_running_kernel_goes_on(lesson, start):
    lesson.make_wheel("late", "1.0", {"late/part.py": "VERSION = '1.0'\n"})
    lesson.run("create", "stats", "late")
    old = start("stats")
    assert lesson.json("delete", "stats") == {"deleted": ["stats"]}
    assert kernels(lesson) == {} and names(lesson) == [] and not os.path.lexists(link(lesson, "stats"))
    assert old.run("import late.part; print(late.part.VERSION)") == "1.0\n"
    # The name is free again, beside what still runs.
    lesson.run("create", "stats", "lesson")
    assert old.run("import late; print(late.VERSION)") == "1.0\n"
    old.end()
    assert start("stats").run("import lesson; print(lesson.VERSION)") == "1.0\n"
    lesson.run("prune")
    assert generations(lesson, "stats") == [2]


def test_what_still_runs_of_a_deleted_environment_does_not_hide_one_of_a_like_name(lesson, start):
    lesson.run("create", "stats")
    old = start("stats")
    lesson.run("delete", "stats")
    lesson.run("create", "Stats", "lesson")
    lesson.run("prune")
    assert kernels(lesson) == {"stats": "Stats"} and names(lesson) == ["Stats"]
    assert start("stats").run("import lesson; print(lesson.VERSION)") == "1.0\n"
    old.end()
    lesson.run("prune")
    assert kernels(lesson) == {"stats": "Stats"} and generations(lesson, "stats") == []


def test_remove_means_a_package_first_and_an_environment_else(lesson):
    lesson.run("create", "stats")
    lesson.run("create", "lesson")
    lesson.run("install", "lesson")
    # A package of that name is installed.
    lesson.run("remove", "lesson")
    assert names(lesson) == ["lesson", "stats"]
    assert "`lesson` and its kernel" in lesson.run("remove", "lesson", "--dry-run").stderr
    assert names(lesson) == ["lesson", "stats"]
    lesson.run("remove", "lesson", "stats")
    assert names(lesson) == [] and kernels(lesson) == {}
    assert "`stats` is not installed" in refusal(lesson, "remove", "stats")
    assert "tljh-user-env envs" in refusal(lesson, "delete", "stats")


def test_on_a_terminal_a_no_leaves_the_environment(installation):
    installation.run("create", "stats")
    for line, code, left in ((b"n\n", 1, ["stats"]), (b"y\n", 0, [])):
        pid, terminal = pty.fork()
        if pid == 0:
            arguments = list(map(str, installation.command("remove", "stats")))
            os.execve(arguments[0], arguments, installation.environment())
        shown = b""
        while b"[Y/n]" not in shown:
            shown += os.read(terminal, 1000)
        assert b"the environment `stats` and its kernel" in shown
        os.write(terminal, line)
        try:
            while os.read(terminal, 1000):
                pass
        except OSError:
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
        assert names(installation) == left


# Refused

@pytest.fixture
def untouched(lesson):
    """After the test there is nothing of any named environment, and the next one can be made."""
    yield
    assert kernels(lesson) == {} and names(lesson) == []
    folder = lesson.root / "opt/tljh/envs"
    left = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()] if folder.is_dir() else []
    assert left == []


def test_names_that_are_paths_or_no_kernels_are_refused(lesson, untouched):
    for name in ("", ".", "..", "../x", "/x", "a/b", "a b", "ünï", "x" * 65, ".x", "a\nb", "~", "$x"):
        assert "an environment's name" in refusal(lesson, "create", name, code=2)
        assert "an environment's name" in refusal(lesson, "delete", name, code=2)
        assert "an environment's name" in refusal(lesson, "list", f"--env={name}", code=2)


def test_options_and_paths_in_other_words_are_refused(lesson, untouched):
    for arguments in (["--", "-x"], ["x", "--python", "/bin/sh"], ["x", "--python", "3"],
                      ["x", "--display-name", "a\nb"], ["x", "--", "-r"], ["x", "../wheel.whl"],
                      ["x", "https://example.org/a.whl"]):
        refusal(lesson, "create", *arguments, code=2)


def test_a_name_that_stands_for_something_is_refused_with_what_helps(lesson):
    lesson.run("create", "stats")
    told = refusal(lesson, "create", "Stats")
    assert "there is an environment `stats` already" in told and "install --env stats" in told
    assert "in everybody's environment" in refusal(lesson, "create", "python3")
    shutil.copytree(lesson.link / "share/jupyter/kernels/python3", lesson.link / "share/jupyter/kernels/bash")
    assert "choose another name" in refusal(lesson, "create", "bash")
    (link(lesson, "mine") / "file").mkdir(parents=True)
    assert "was not made by tljh-user-env" in refusal(lesson, "create", "mine")
    assert names(lesson) == ["stats"] and link(lesson, "mine").is_dir()
    for command in (["list"], ["export"], ["install", "lesson"], ["upgrade"]):
        assert "there is no environment `other`" in refusal(lesson, *command, "--env", "other")
    assert "there is no environment `other`" in refusal(lesson, "create", "other", "--again")


def test_a_python_that_the_machine_has_not_is_named_with_what_helps(lesson, untouched):
    told = refusal(lesson, "create", "old", "--python", "3.4")
    assert "this machine has no Python 3.4" in told
    assert "`sudo tljh-user-env create old --conda --python 3.4`" in told


def test_what_cannot_be_had_leaves_nothing(lesson, untouched):
    assert "nonsense-package" in refusal(lesson, "create", "stats", "nonsense-package")
    lesson.make_wheel("torn", "1.0")
    lesson.index.cut.add("torn-1.0-py3-none-any.whl")
    assert "hint:" in refusal(lesson, "create", "stats", "torn")
    lesson.make_wheel("forged", "1.0")
    lesson.index.wrong.add("forged-1.0-py3-none-any.whl")
    assert "not what it should be" in refusal(lesson, "create", "stats", "forged")
    told = refusal(lesson, "create", "stats", "lesson", UV_DEFAULT_INDEX="http://127.0.0.1:9/")
    assert "could not be reached" in told
    lesson.make_wheel("greedy", "1.0", requires=["helper>=2"])
    assert "no versions fit" in refusal(lesson, "create", "stats", "greedy")
    lesson.make_wheel("tornado", "99.0")
    assert "kernel does not start" in refusal(lesson, "create", "stats", "tornado>=99")


def test_a_full_disk_is_told_before_and_after(lesson, untouched, workshop):
    everything = lesson.root / "opt/tljh/envs"
    everything.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=50m", "small", everything], check=True)
    try:
        told = refusal(lesson, "create", "stats")
        assert "MB are free" in told and "hint: free some space" in told
        subprocess.run(["mount", "-o", "remount,size=480m", everything], check=True)
        lesson.make_wheel("big", "1.0", {"big/data": "0" * 450_000_000})
        told = refusal(lesson, "create", "stats", "big")
        assert "disk became full" in told or "No space left" in told
        assert kernels(lesson) == {} and names(lesson) == []
    finally:
        subprocess.run(["umount", everything], check=True)


def test_only_root_makes_and_deletes_environments(lesson, untouched):
    for command in (["create", "stats"], ["delete", "stats"]):
        done = subprocess.run(lesson.command(*command), capture_output=True, text=True, user=65534, group=65534,
                              env=lesson.environment())
        assert done.returncode == 1 and "sudo" in done.stderr, done.stderr


# Two at once, and killed

def test_two_admins_at_once_make_one_after_the_other(lesson):
    running = [subprocess.Popen(lesson.command("create", name), env=lesson.environment(SUDO_USER=by),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for name, by in (("one", "ada"), ("two", "eva"), ("two", "mia"))]
    printed = [each.communicate(timeout=600)[0] for each in running]
    assert sorted(each.returncode for each in running) == [0, 0, 1], printed
    assert "there is an environment `two` already" in "".join(printed)
    assert names(lesson) == ["one", "two"] and kernels(lesson) == {"one": "one", "two": "two"}


def kill_when(installation, reached, *arguments):
    command = subprocess.Popen(installation.command(*arguments), env=installation.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: reached() or command.poll() is not None, 300, str(arguments), interval=0.002)
        ended = command.poll()
    finally:
        command.send_signal(signal.SIGKILL)
        command.wait()
    wait_for(lambda: not processes(installation), 60, "uv and the kernel on trial end with their parent")
    return ended


def processes(installation):
    command = ["pgrep", "-f", f"{installation.root}/opt/tljh/envs/"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def test_half_a_file_that_a_killed_command_left_does_not_keep_an_environment_from_going(lesson):
    lesson.run("create", "stats")
    base = lesson.root / "opt/tljh/envs/.generations/stats"
    (base / ".tljh-Xa31Bq").write_text("{")
    lesson.run("delete", "stats")
    assert not base.exists()


def test_killed_at_any_step_shows_no_half_made_kernel_and_the_next_command_tidies_up(lesson):
    base = lesson.root / "opt/tljh/envs/.generations/stats"
    states = {
        "a description": lambda: (base / "environment.json").exists(),
        "a folder": lambda: (base / "1").is_dir(),
        "a kernel's packages": lambda: list(base.glob("1/lib/python3.*/site-packages/ipykernel")),
        "an installed package": lambda: list(base.glob("1/lib/python3.*/site-packages/lesson")),
        "a kernel on trial": lambda: subprocess.run(["pgrep", "-u", "nobody", "-f", "ipykernel"],
                                                    capture_output=True).stdout,
    }
    for name, reached in states.items():
        assert kill_when(lesson, reached, "create", "stats", "lesson") is None, name
        assert kernels(lesson) == {} and names(lesson) == [], name
        lesson.run("create", "other")
        assert names(lesson) == ["other"] and not base.exists(), name
        lesson.run("delete", "other")
    ready = lambda: (base / "1.json").exists() and json.loads((base / "1.json").read_text())["state"] == "ready"
    kill_when(lesson, ready, "create", "stats", "lesson")
    # Tried out and whole: the next command completes it.
    lesson.run("prune")
    assert names(lesson) == ["stats"] and kernels(lesson) == {"stats": "stats"}
    lesson.make_wheel("lesson", "2.0")
    assert kill_when(lesson, lambda: (base / "2").is_dir(), "upgrade", "--env", "stats") is None
    assert kernels(lesson) == {"stats": "stats"} and names(lesson) == ["stats"]
    assert "lesson==1.0" in lesson.run("export", "--env", "stats").stdout
    lesson.run("upgrade", "--env", "stats")
    assert "lesson==2.0" in lesson.run("export", "--env", "stats").stdout
    kill_when(lesson, lambda: not (base / "environment.json").exists(), "delete", "stats")
    assert names(lesson) == []
    lesson.run("prune")
    assert kernels(lesson) == {} and not base.exists() and not os.path.lexists(link(lesson, "stats"))


def test_killed_after_growing_delays_shows_kernels_that_work_or_none(lesson):
    for delay in (0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.8):
        command = subprocess.Popen(lesson.command("create", "stats", "lesson"), env=lesson.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        # Time is the point here: the power may fail at any moment.
        time.sleep(delay)
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        assert set(kernels(lesson)) <= set(names(lesson))
    if not names(lesson):
        lesson.run("create", "stats", "lesson")
    assert kernels(lesson) == {"stats": "stats"}


def test_a_lost_link_or_kernel_comes_back_with_the_next_command(lesson):
    lesson.run("create", "stats", "lesson")
    link(lesson, "stats").unlink()
    shutil.rmtree(lesson.root / "opt/tljh/envs/.jupyter")
    lesson.run("prune")
    assert names(lesson) == ["stats"] and kernels(lesson) == {"stats": "stats"}


def test_bytecode_is_made_for_those_who_may_not_write_it(lesson):
    lesson.run("create", "stats", "lesson")
    site = next((link(lesson, "stats") / "lib").glob("python3.*")) / "site-packages"
    lesson.run("compile")
    assert (site / "lesson/__pycache__").is_dir() and (site / "ipykernel/__pycache__").is_dir()
