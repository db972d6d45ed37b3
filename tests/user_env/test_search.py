"""`search`: what the indexes have of a package, as uv is told of them."""

import subprocess

import pytest

from tests.user_env.index import Index
from tests.user_env.wheels import make_wheel


@pytest.fixture
def lessons(installation):
    """Versions 1.0, 1.10 and 2.0 of `lesson`, the last for another Python; 1.0 is installed."""
    for version in ("1.0", "1.10"):
        installation.make_wheel("lesson", version, summary=f"A lesson of {version}")
    installation.make_wheel("lesson", "2.0", python=">=3.99")
    installation.run("install", "lesson==1.0")
    return installation


def refused(installation, *arguments, **settings):
    done = installation.run("search", *arguments, check=False, **settings)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    return done.stderr


def test_versions_are_told_newest_first_with_what_fits_and_what_is_installed(lessons):
    assert lessons.json("search", "Lesson") == {"name": "lesson", "summary": "A lesson of 1.0", "versions": [
        {"version": "2.0", "fits": False, "installed": False},
        {"version": "1.10", "fits": True, "installed": False},
        {"version": "1.0", "fits": True, "installed": True},
    ]}
    shown = [line.split() for line in lessons.run("search", "lesson").stdout.splitlines()]
    assert shown == ["lesson: A lesson of 1.0".split(), "2.0 for another Python".split(), ["1.10"],
                     ["*", "1.0", "installed"]]


def test_what_is_not_installed_is_found_with_its_summary_and_nothing_is_left(installation):
    installation.make_wheel("other", "0.1b2", summary="Not released yet")
    before = sorted(installation.generations.rglob("*"))
    done = subprocess.run(installation.command("search", "other", "--json"), capture_output=True, text=True,
                          user=65534, group=65534, env=installation.environment(HOME="/nonexistent"))
    assert '"version":"0.1b2","fits":true' in done.stdout and done.stderr == "", done.stderr
    installation.make_wheel("other", "1.0", summary="The first one")
    found = installation.json("search", "other")
    assert found["summary"] == "The first one"
    assert [version["version"] for version in found["versions"]] == ["1.0"]
    assert sorted(installation.generations.rglob("*")) == before


def test_of_many_versions_the_newest_are_shown(installation):
    for number in range(25):
        installation.make_wheel("lesson", f"1.{number}")
    done = installation.run("search", "lesson")
    assert done.stdout.splitlines()[1:] == [f"  1.{24 - number}" for number in range(20)]
    assert "5 older versions" in done.stderr
    assert len(installation.run("search", "--all", "lesson").stdout.splitlines()) == 26


def test_the_first_index_that_has_a_package_counts(lessons, tmp_path):
    make_wheel(tmp_path / "wheels", "lesson", "0.5")
    make_wheel(tmp_path / "folder", "loose", "3.0")
    own = Index(tmp_path / "wheels")
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text(
        f'find-links = ["{tmp_path}/folder"]\n'
        f'[[index]]\nname = "own"\nurl = "{own.url}"\n'
        f'[[index]]\nurl = "{lessons.index.url}"\ndefault = true\n'
    )
    settings = {"UV_DEFAULT_INDEX": "", "XDG_CONFIG_DIRS": str(tmp_path)}
    versions = {name: [found["version"] for found in lessons.json("search", name, **settings)["versions"]]
                for name in ("lesson", "loose")}
    own.close()
    assert versions == {"lesson": ["0.5"], "loose": ["3.0"]}


def test_an_environment_without_pip_is_searched_for_too(lessons):
    lessons.run("remove", "pip")
    assert len(lessons.json("search", "lesson")["versions"]) == 3


def test_an_unknown_name_and_an_index_that_does_not_answer_are_told_apart(installation):
    told = refused(installation, "jupyterlap")
    assert "error: `jupyterlap` was not found" in told and "did you mean `jupyterlab`" in told
    assert "hint: check the spelling" in refused(installation, "nonsense-package")
    told = refused(installation, "jupyterlab", UV_DEFAULT_INDEX="http://somebody:hunter2@127.0.0.1:9/simple/")
    assert "could not be reached" in told and "hint: check the network" in told and "hunter2" not in told


@pytest.mark.parametrize("word", ["--index-url", "/etc/passwd", "lesson>=1", "https://example.org/x.whl", "-r"])
def test_only_a_name_is_searched_for(installation, word):
    done = installation.run("search", "--", word, check=False)
    assert done.returncode == 2 and word in done.stderr
