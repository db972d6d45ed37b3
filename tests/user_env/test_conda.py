"""The conda engine: channels of real packages, solved and linked by rattler, with pip's packages beside them."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from tests.conda.channel import PLACEHOLDER, Channel, File, bundle_channel
from tests.conda.packages import add_compiled
from tests.conda.server import Server
from tests.machines.places import wait_for
from tests.user_env.bundles import Bundle
from tests.user_env.conftest import a_copy
from tests.user_env.upstreams import as_upstreams, inside, take_over


@pytest.fixture(scope="module")
def switched(workshop):
    """An installation whose generation 2 is the bundle's packages on the engine conda, kept aside; none by pip."""
    root = workshop / "root"
    made = next(a_copy(workshop, "new"))
    extra = Channel(workshop / "channel")
    fill(extra)
    use(made, bundle_channel().as_uri(), extra.url)
    made.answer = made.json("switch", "conda", UV_OFFLINE="1")
    made.index.close()
    root.rename(workshop / "conda")
    yield made
    shutil.rmtree(workshop / "conda")
    shutil.rmtree(workshop / "channel")


@pytest.fixture
def conda(workshop, switched):
    """The installation on conda, for one test."""
    for made in a_copy(workshop, "conda"):
        made.answer = switched.answer
        yield made


@pytest.fixture
def unchanged(conda):
    """What a refused change leaves as it was."""
    before = (conda.active(), conda.numbers())
    yield
    assert (conda.active(), conda.numbers()) == before
    assert conda.json("check")["sound"]


def use(installation, *channels):
    """Write the configuration."""
    path = installation.root / "etc/tljh/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Shared with the installation that is kept aside.
    path.unlink(missing_ok=True)
    path.write_text(json.dumps({"user_environment": {"channels": list(channels)}}))


def fill(channel):
    """A compiled package, one that no two want alike, and one that wants to be activated."""
    add_compiled(channel)
    channel.add_module("lesson", "1.0")
    channel.add_module("lesson", "2.0")
    channel.add_module("old-friend", "1.0", depends=["lesson <2"])
    script = 'export MAPS_DATA="$CONDA_PREFIX/share/maps"\n'
    channel.add("maps", "1.0", {"share/maps/world": "round", "etc/conda/activate.d/maps.sh": script,
                                "bin/where": File(f"#!/bin/sh\necho {PLACEHOLDER}\n".encode(), 0o755)})
    channel.write_index()


def versions(installation):
    return {package["name"]: package["version"] for package in installation.json("list")["packages"]}


def normal(name):
    return name.replace("_", "-").replace(".", "-").lower()


# From one engine to the other

def test_a_switch_brings_the_same_packages_on_a_python_of_their_own(conda):
    assert (conda.answer["generation"], conda.answer["engine"], conda.answer["left_out"]) == (2, "conda", [])
    records = [json.loads((conda.generations / f"{number}.json").read_text()) for number in (1, 2)]
    assert [record["engine"] for record in records] == ["venv", "conda"]
    before, after = ({normal(one["name"]): one["version"] for one in record["packages"]} for record in records)
    assert before.items() <= after.items()
    assert conda.python("import sys; print(sys.base_prefix == sys.prefix)") == "True"
    assert os.path.realpath(conda.link / "bin/python").startswith(str(conda.folder(2)))
    assert records[1]["python"] == conda.python("import platform; print(platform.python_version())")


def test_a_switch_says_first_what_it_will_do_and_a_dry_run_does_nothing(installation):
    use(installation, bundle_channel().as_uri())
    done = installation.run("switch", "conda", "--dry-run")
    assert "+ python 3." in done.stderr
    assert installation.numbers() == [1]


def test_everything_names_the_link_and_nothing_the_generation(conda):
    own = str(conda.folder(2)).encode()
    naming = [path for path in conda.folder(2).rglob("*")
              if path.is_file() and not path.is_symlink() and path.suffix != ".pyc" and own in path.read_bytes()]
    assert naming == []


def test_the_way_back_is_a_rollback_or_a_switch_that_keeps_what_was_asked_for(conda):
    conda.make_wheel("mine", "1.0")
    conda.run("install", "answer")
    conda.run("install", "--pip", "mine")
    answer = conda.json("switch", "venv")
    assert answer["left_out"] == ["answer"]
    assert conda.python("import mine; print(mine.VERSION)") == "1.0"
    conda.run("rollback", 2)
    assert conda.python("import answer", check=False).returncode == 1
    assert conda.json("check")["sound"]


def test_a_package_that_no_channel_has_comes_by_pip(installation):
    installation.make_wheel("mine", "1.0")
    installation.run("install", "mine")
    use(installation, bundle_channel().as_uri())
    assert installation.json("switch", "conda")["pip"] == ["mine"]
    assert installation.python("import mine; print(mine.VERSION)") == "1.0"


def test_a_server_cannot_lose_its_parts_to_a_poor_channel(installation, workshop):
    poor = Channel(workshop / "poor")
    poor.add_module("lesson", "1.0")
    use(installation, poor.write_index().url)
    done = installation.run("switch", "conda", check=False)
    assert done.returncode == 1 and "python" in done.stderr
    assert installation.numbers() == [1]
    shutil.rmtree(poor.folder)


# Changes

def test_a_compiled_package_comes_with_its_library_and_goes_again(conda):
    changes = conda.json("install", "answer")["changes"]
    assert [(one["name"], one["after"]) for one in changes] == [("answer", "1.0"), ("libanswer", "1.0")]
    assert conda.python("import answer; print(answer.VALUE)") == "42"
    conda.run("remove", "libanswer")
    assert not {"answer", "libanswer"} & versions(conda).keys()


def test_an_upgrade_moves_what_was_asked_for_and_no_more(conda):
    conda.run("install", "old-friend")
    assert versions(conda)["lesson"] == "1.0"
    before = versions(conda)
    assert conda.json("upgrade", "old-friend")["changes"] == []
    conda.run("remove", "old-friend")
    conda.run("install", "lesson=1.0")
    conda.run("upgrade")
    assert versions(conda) == {**{name: version for name, version in before.items() if name != "old-friend"},
                               "lesson": "2.0"}


def test_pips_packages_stand_beside_condas_and_may_not_move_them(conda, unchanged):
    conda.make_wheel("tornado", "99.0")
    conda.make_wheel("greedy", "1.0", requires=["tornado>=99"])
    done = conda.run("install", "--pip", "greedy", check=False)
    assert done.returncode == 1 and "tornado" in done.stderr


def test_condas_package_takes_the_place_of_pips_of_the_same_name(conda):
    conda.make_wheel("lesson", "0.5")
    conda.run("install", "--pip", "lesson")
    assert conda.python("import lesson; print(lesson.VERSION)") == "0.5"
    conda.run("install", "lesson")
    assert conda.python("import lesson; print(lesson.VERSION)") == "2.0"
    found = [one for one in conda.json("list")["packages"] if one["name"] == "lesson"]
    assert [(one["version"], one["build"]) for one in found] == [("2.0", "0")]


def test_what_pip_changes_by_hand_is_noticed_and_carried_along(conda):
    conda.make_wheel("mine", "1.0")
    conda.pip("install", "mine")
    assert [one["name"] for one in conda.json("list")["by_hand"]] == ["mine"]
    conda.run("install", "lesson")
    assert conda.python("import mine, lesson; print(mine.VERSION, lesson.VERSION)") == "1.0 2.0"


def test_what_packages_want_in_the_environment_variables_is_there(conda):
    conda.run("install", "maps")
    told = conda.python("import os; print(os.environ['MAPS_DATA'], os.environ['CONDA_PREFIX'])")
    assert told == f"{conda.link}/share/maps {conda.link}"
    assert subprocess.run([conda.link / "bin/where"], capture_output=True, text=True).stdout.strip() == str(conda.link)


def test_a_process_keeps_its_generation_over_a_change(conda):
    program = "import sys; print('ready', flush=True); input(); import tornado; print(tornado.__file__)"
    running = subprocess.Popen([conda.link / "bin/python", "-c", program], stdin=subprocess.PIPE, cwd="/",
                               stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"})
    assert running.stdout.readline() == "ready\n"
    conda.run("install", "lesson")
    found, _ = running.communicate("\n", timeout=60)
    assert found.startswith(str(conda.folder(2)))


# When tljh is upgraded

def test_a_package_upgrade_moves_jupyterhub_and_nothing_else(conda, workshop):
    bundle, newer = Bundle(conda), Channel(workshop / "newer")
    for name in ("jupyterhub", "ipywidgets"):
        bundle.renew(name, "100.0")
    before = versions(conda)
    said = conda.run("ensure").stderr
    assert "sudo tljh-user-env upgrade --defaults" in said
    assert versions(conda) == before
    python = ".".join(conda.python("import platform; print(platform.python_version())").split(".")[:2])
    newer.add_wheel(bundle.wheel("jupyterhub"), python)
    use(conda, newer.write_index().url, bundle_channel().as_uri())
    said = conda.run("ensure").stderr
    assert "~ jupyterhub" in said and "generation 3 is active" in said
    assert versions(conda) == {**before, "jupyterhub": "100.0"}
    assert conda.run("ensure").stderr == ""
    shutil.rmtree(newer.folder)


def test_what_a_server_starts_finds_the_python_of_whichever_generation_is_active(conda):
    told = subprocess.run([conda.link / "bin/python3", "-c", "import sys; print(sys.executable)"], cwd="/",
                          capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert told.stdout == f"{conda.link}/bin/python\n"


# Files

def test_an_environment_yml_is_applied_and_exported(conda, tmp_path):
    conda.make_wheel("mine", "1.0")
    file = tmp_path / "environment.yml"
    file.write_text("name: class\nchannels: [nodefaults]\ndependencies: [lesson=1.0, answer, {pip: [mine]}]\n")
    conda.run("apply", "-f", file)
    told = "import lesson, answer, mine; print(lesson.VERSION, answer.VALUE, mine.VERSION)"
    assert conda.python(told) == "1.0 42 1.0"
    exported = tmp_path / "exported.yml"
    exported.write_text(conda.run("export").stdout)
    conda.run("rollback", 2)
    conda.run("apply", "-f", exported)
    assert conda.python(told) == "1.0 42 1.0"


def test_a_lock_brings_the_very_builds_or_nothing(conda, tmp_path):
    conda.run("install", "lesson=1.0")
    lock = tmp_path / "lock.txt"
    lock.write_text(conda.run("export", "--lock").stdout)
    assert "@EXPLICIT" in lock.read_text()
    conda.run("rollback", 2)
    conda.run("apply", "-f", lock)
    assert versions(conda)["lesson"] == "1.0"
    conda.run("rollback", 2)
    before = conda.numbers()
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join(line[:-64] + "0" * 64 if "lesson" in line else line for line in lines))
    done = conda.run("apply", "-f", lock, check=False)
    assert done.returncode == 1 and "lesson" in done.stderr
    assert conda.numbers() == before


def test_condas_files_and_commands_are_refused_by_a_virtual_environment(installation, tmp_path):
    file = tmp_path / "environment.yml"
    file.write_text("dependencies: [lesson]\n")
    for command in (["apply", "-f", file], ["conda", "list"]):
        done = installation.run(*command, check=False)
        assert done.returncode == 1 and "switch conda" in done.stderr


# What people are used to type

def test_the_usual_commands_of_conda_are_understood(conda):
    front = (conda.link / "bin/conda").read_text()
    assert "tljh-user-env conda" in front and front == (conda.link / "bin/mamba").read_text()
    conda.run("conda", "install", "-y", "-n", "base", "lesson=1.0")
    assert "lesson                    1.0" in conda.run("conda", "list").stdout
    assert "- lesson=1.0=0" in conda.run("conda", "env", "export").stdout
    conda.run("conda", "update", "-y", "lesson")
    assert versions(conda)["lesson"] == "2.0"
    conda.run("conda", "remove", "-y", "lesson")
    assert "lesson" not in versions(conda)
    found = json.loads(conda.run("conda", "search", "lesson", "--json").stdout)
    assert [one["version"] for one in found] == ["2.0", "1.0"]


def test_versions_of_the_channels_are_told_with_build_and_channel(conda):
    conda.run("install", "lesson=1.0")
    found = conda.json("search", "lesson")
    assert [(one["version"], one["build"], one["installed"]) for one in found["versions"]] == [
        ("2.0", "0", False), ("1.0", "0", True),
    ]
    assert all(one["channel"] and one["fits"] for one in found["versions"])
    refused = conda.run("search", "nonsense-package", check=False)
    assert refused.returncode == 1 and "hint: check the spelling" in refused.stderr


def test_the_real_conda_takes_the_place_of_the_front_where_a_channel_has_it(conda, workshop):
    channel = Channel(workshop / "channel")
    channel.add("conda", "99.0", {"bin/conda": File(b"#!/bin/sh\necho the real one\n", 0o755)})
    channel.write_index()
    conda.run("install", "conda")
    assert subprocess.run([conda.link / "bin/conda"], capture_output=True, text=True).stdout == "the real one\n"
    assert "tljh-user-env" in (conda.link / "bin/mamba").read_text()
    conda.run("remove", "conda")
    assert "tljh-user-env conda" in (conda.link / "bin/conda").read_text()


# When things go wrong

@pytest.mark.parametrize("wanted, told", [
    ("lessson", ["lesson", "search"]),
    ("lesson=9", ["lesson", "2.0"]),
    ("jupyterhub=1.0", ["jupyterhub"]),
])
def test_what_cannot_be_had_is_told_and_nothing_changes(conda, unchanged, wanted, told):
    done = conda.run("install", wanted, check=False)
    assert done.returncode == 1
    assert all(word in done.stderr for word in told), done.stderr


def test_requirements_that_do_not_fit_together_are_told(conda, unchanged):
    done = conda.run("install", "old-friend", "lesson=2.0", check=False)
    assert done.returncode == 1 and "no versions fit together" in done.stderr


@pytest.mark.parametrize("name", ["../lesson", "-c", "/etc/passwd", "https://example.org/a.conda", "a b; c"])
def test_a_name_with_a_path_or_an_option_in_it_is_refused(conda, unchanged, name):
    assert conda.run("install", name, check=False).returncode == 2


def test_a_library_that_was_lost_is_noticed_and_mended(conda):
    conda.run("install", "answer")
    (conda.link / "lib/libanswer.so").unlink()
    done = conda.run("check", check=False)
    assert done.returncode == 1 and "libanswer" in done.stdout
    conda.run("repair")
    assert conda.python("import answer; print(answer.VALUE)") == "42"
    assert conda.json("check")["sound"]


@pytest.mark.parametrize("name", ["python", "jupyterlab", "ipykernel"])
def test_what_servers_are_made_of_is_not_removed(conda, unchanged, name):
    done = conda.run("remove", name, check=False)
    assert done.returncode == 1 and "cannot be removed" in done.stderr


def test_a_channel_that_does_not_answer_changes_nothing(conda, unchanged):
    server = Server(conda.root.parent / "channel")
    address = server.url
    server.close()
    use(conda, address)
    done = conda.run("install", "lesson", check=False)
    assert done.returncode == 1 and address in done.stderr


def test_killed_while_it_links_the_environment_is_what_it_was(conda):
    states = {
        "a half-made copy": lambda: len(list(conda.folder(3).glob("lib/python3.*/site-packages/*"))) > 20,
        "a linked package": lambda: list((conda.folder(3) / "conda-meta").glob("lesson-*.json")),
    }
    for name, reached in states.items():
        command = subprocess.Popen(conda.command("install", "lesson"), env=conda.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            wait_for(lambda: reached() or command.poll() is not None, 300, name, interval=0.002)
            assert command.poll() is None, (name, command.stderr.read())
        finally:
            command.send_signal(signal.SIGKILL)
            command.wait()
        assert conda.active() == 2, name
        assert conda.json("check")["sound"], name
    assert conda.json("install", "lesson")["generation"] == 3
    assert conda.numbers() == [1, 2, 3]


# Of upstream's

def test_an_environment_of_condas_goes_on_as_one(conda):
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
