"""What is shown while a change is made, and what an interruption leaves."""

import random
import signal
import subprocess
import threading

import pytest

from tests.machines.places import wait_for
from tests.user_env.terminal import Terminal


@pytest.fixture
def slow(installation):
    """`slow` is large enough to be told of, and its download stops half-way until the index releases it."""
    data = random.Random(1).randbytes(3_000_000).hex()
    wheel = installation.make_wheel("slow", "1.0", {"slow/data.txt": data})
    installation.index.held.add(wheel.name)
    return installation


def test_on_a_terminal_bars_tell_how_far_it_is_and_go(slow):
    terminal = Terminal(slow, "install", "--yes", "slow")
    terminal.wait_for("0/1 downloading slow (")
    slow.index.release()
    assert terminal.end() == 0
    # A server takes longer to start than a step that shows no bar.
    assert "trying it out with a throw-away server (" in terminal.shown
    assert terminal.left() == [
        "this changes the environment of everybody:",
        "  + slow 1.0",
        "generation 2 is active; servers and kernels that run keep the one that they started with",
        "(`sudo tljh-user-env rollback` goes back)",
    ]


def test_without_a_terminal_each_step_has_a_line(installation):
    installation.make_wheel("lesson", "1.0")
    told = installation.run("install", "lesson").stderr
    assert told.splitlines()[2:5] == [
        "copying the environment to generation 2 ...",
        "changing generation 2 ...",
        "trying it out with a throw-away server ...",
    ]
    assert "\x1b" not in told and "\r" not in told


def test_who_wants_no_words_gets_no_bars(slow):
    terminal = Terminal(slow, "--quiet", "install", "--yes", "slow")
    threading.Timer(2, slow.index.release).start()
    assert (terminal.end(), terminal.shown) == (0, "")


def test_ctrl_c_during_a_download_leaves_all_as_it_was(slow, unchanged):
    terminal = Terminal(slow, "install", "--yes", "slow")
    terminal.wait_for("0/1 downloading slow (")
    terminal.type("\x03")
    assert terminal.end() == 1
    assert [line.removeprefix("^C") for line in terminal.left()[2:]] == [
        "error: interrupted; the active environment is as it was",
        "hint: run the same command again when it suits",
    ]
    assert slow.processes() == []


def test_ctrl_c_during_the_trial_leaves_all_as_it_was(installation, unchanged):
    installation.make_wheel("dreamer", "1.0", {
        "dreamer.pth": "import sys, time; 'jupyterhub.singleuser' in sys.orig_argv and time.sleep(600)\n",
    })
    terminal = Terminal(installation, "install", "--yes", "dreamer")
    terminal.wait_for("trying it out with a throw-away server (2s)")
    terminal.type("\x03")
    assert terminal.end() == 1
    assert "error: interrupted; the active environment is as it was" in "\n".join(terminal.left())
    assert installation.processes() == []


def test_a_machine_that_goes_down_does_not_wait_for_a_download(slow, unchanged):
    command = subprocess.Popen(slow.command("install", "slow"), env=slow.environment(), stderr=subprocess.PIPE,
                               text=True)
    assert "changing generation 2 ...\n" in iter(command.stderr.readline, "")
    command.send_signal(signal.SIGTERM)
    told = command.communicate(timeout=300)[1]
    assert command.returncode == 1 and "interrupted; the active environment is as it was" in told
    wait_for(lambda: slow.processes() == [], 60, "nobody goes on")
