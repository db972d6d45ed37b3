"""A newer package brings other defaults: those move that nobody touched, and nothing that administrators installed."""

import json
import subprocess

import pytest

from tests.user_env.bundles import Bundle

RETRY = "sudo tljh-user-env upgrade --defaults"


@pytest.fixture
def bundle(installation):
    return Bundle(installation)


def versions(installation):
    return {package["name"]: package["version"] for package in installation.json("list")["packages"]}


def configure(installation, **settings):
    """What dpkg's configuration says; it never fails on account of the environment that is there."""
    return installation.run("ensure", **settings).stderr


def test_untouched_defaults_move_with_the_hubs_part_and_nothing_else_does(installation, bundle):
    for name in ("lesson", "byhand", "came_along"):
        installation.make_wheel(name, "1.0", requires=["came-along"] if name == "byhand" else [])
    installation.make_wheel("widgetsnbextension", "99.5")
    installation.run("install", "lesson==1.0", f"jupyter-resource-usage=={bundle.version('jupyter-resource-usage')}")
    installation.run("remove", "nbgitpuller")
    installation.pip("install", "byhand")
    installation.pip("install", "--no-deps", "--force-reinstall", "widgetsnbextension==99.5")
    before = versions(installation)
    for name in ("jupyterhub", "ipywidgets", "jupyter-resource-usage", "nbgitpuller", "widgetsnbextension"):
        bundle.renew(name, "100.0")
    installation.make_wheel("added", "1.0", requires=["jupyterlab"])
    bundle.add(installation.wheels / "added-1.0-py3-none-any.whl")
    said = configure(installation)
    assert "~ ipywidgets" in said and "+ added 1.0" in said and "generation 4 is active" in said
    assert versions(installation) == {**before, "jupyterhub": "100.0", "ipywidgets": "100.0", "added": "1.0"}
    assert installation.python("import lesson, byhand, came_along; print(lesson.VERSION)") == "1.0"
    assert installation.active() == 4
    assert json.loads((installation.generations / "4.json").read_text())["requested"] == [
        "jupyter-resource-usage", "lesson"]
    # Once only, and still told apart the next time.
    assert configure(installation) == ""
    bundle.renew("ipywidgets", "101.0")
    bundle.renew("jupyter-resource-usage", "101.0")
    configure(installation)
    assert versions(installation) == {**before, "jupyterhub": "100.0", "ipywidgets": "101.0", "added": "1.0"}


def test_what_runs_keeps_its_generation_through_a_package_upgrade(installation, bundle):
    code = "print('ready', flush=True); input(); import ipywidgets; print(ipywidgets.__file__)"
    server = subprocess.Popen([installation.link / "bin/python", "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, cwd="/")
    assert server.stdout.readline() == "ready\n"
    bundle.renew("ipywidgets", "100.0")
    configure(installation)
    assert installation.active() == 2
    printed, _ = server.communicate("\n", timeout=60)
    assert printed.strip() == str(installation.site(1) / "ipywidgets/__init__.py")


def test_what_the_package_brings_no_longer_goes_unless_somebody_needs_it(installation, bundle):
    installation.make_wheel("old_one", "1.0")
    installation.make_wheel("old_two", "1.0")
    for name in ("old_one", "old_two"):
        bundle.add(installation.wheels / f"{name}-1.0-py3-none-any.whl")
    configure(installation)
    assert {"old-one", "old-two"} < set(versions(installation))
    installation.make_wheel("lesson", "1.0", requires=["old-two"])
    installation.run("install", "lesson")
    for name in ("old-one", "old-two"):
        bundle.drop(name)
    bundle.renew("ipywidgets", "100.0")
    configure(installation)
    assert "old-one" not in versions(installation) and versions(installation)["old-two"] == "1.0"


def test_a_default_that_an_admins_package_holds_back_stays_and_is_told(installation, bundle):
    old = bundle.version("ipywidgets")
    installation.make_wheel("lesson", "1.0", requires=["ipywidgets<100"])
    installation.run("install", "lesson")
    bundle.renew("ipywidgets", "100.0", requires=["widgetsnbextension"])
    # Needs the one that stays, so it stays too.
    bundle.renew("widgetsnbextension", "100.0", requires=["ipywidgets>=100"])
    bundle.renew("jupyterhub", "100.0")
    planned = installation.json("upgrade", "--defaults", "--dry-run")
    assert [step["name"] for step in planned["changes"]] == ["jupyterhub"] and installation.active() == 2
    said = configure(installation)
    assert f"`ipywidgets` stays {old}: `lesson` requires `ipywidgets<100`" in said and "`widgetsnbextension` stays" in said
    now = versions(installation)
    assert (now["jupyterhub"], now["ipywidgets"], now["lesson"]) == ("100.0", old, "1.0")
    assert configure(installation) == ""
    # It is still nobody's, and moves when it can.
    installation.run("remove", "lesson")
    bundle.renew("jupyterhub", "101.0")
    configure(installation)
    assert versions(installation)["ipywidgets"] == "100.0"


def test_where_the_hubs_part_cannot_move_all_stays_and_the_package_is_configured(installation, bundle):
    installation.make_wheel("lesson", "1.0", requires=["jupyterhub<100"])
    installation.run("install", "lesson")
    bundle.renew("jupyterhub", "100.0")
    bundle.renew("ipywidgets", "100.0")
    said = configure(installation)
    assert "`lesson` requires `jupyterhub<100`" in said and RETRY in said
    assert installation.active() == 2 and installation.numbers() == [1, 2]
    refused = installation.run("upgrade", "--defaults", check=False)
    assert refused.returncode == 1 and "`lesson` requires" in refused.stderr
    installation.run("remove", "lesson")
    installation.run("upgrade", "--defaults")
    assert versions(installation)["ipywidgets"] == "100.0"


@pytest.mark.parametrize("how", ["damaged", "exchanged", "not working"])
def test_a_bundle_that_does_not_work_leaves_the_old_generation(installation, bundle, how):
    bundle.renew("jupyterhub", "100.0")
    wheel = bundle.wheel("ipywidgets")
    good, lock = wheel.read_bytes(), bundle.lock.read_text()
    if how == "damaged":
        bundle.renew("ipywidgets", "100.0")
        bundle.wheel("ipywidgets").write_bytes(good[:5000])
    elif how == "exchanged":
        bundle.renew("ipywidgets", "100.0")
        bundle.lock.write_text(bundle.lock.read_text().replace("--hash=sha256:", "--hash=sha256:0000", -1))
    else:
        installation.make_wheel("breaker", "1.0", {"breaker.pth": "import sys; sys.modules['jupyter_server.serverapp'] = None\n"})
        bundle.add(installation.wheels / "breaker-1.0-py3-none-any.whl")
    before = versions(installation)
    said = configure(installation)
    assert "the user environment stays as it is" in said and "caused by" in said or "error" in said
    assert said.count(RETRY) == 1
    assert installation.active() == 1 and installation.numbers() == [1] and versions(installation) == before
    assert installation.json("check")["sound"]
    # Mended, it is tried again on request.
    if how == "not working":
        bundle.drop("breaker")
    else:
        bundle.lock.write_text(lock)
        bundle.wheel("ipywidgets").unlink()
        (bundle.wheels / wheel.name).write_bytes(good)
    installation.run("upgrade", "--defaults")
    assert versions(installation)["jupyterhub"] == "100.0"


def test_who_went_back_stays_there_until_the_next_version_or_on_request(installation, bundle):
    bundle.renew("ipywidgets", "100.0")
    configure(installation)
    installation.run("rollback")
    assert RETRY in configure(installation)
    assert installation.active() == 1
    installation.run("upgrade", "--defaults")
    assert installation.active() == 3
    installation.run("rollback", 1)
    bundle.renew("ipywidgets", "101.0")
    configure(installation)
    assert versions(installation)["ipywidgets"] == "101.0"


def test_a_generation_of_an_earlier_version_of_this_program_is_understood(installation, bundle):
    installation.make_wheel("lesson", "1.0")
    installation.run("install", "lesson")
    for number in (1, 2):
        path = installation.generations / f"{number}.json"
        record = json.loads(path.read_text())
        for name in ("bundle", "defaults"):
            del record[name]
        path.write_text(json.dumps(record))
    assert configure(installation) == ""
    assert installation.active() == 2
    bundle.renew("ipywidgets", "100.0")
    configure(installation)
    assert versions(installation)["ipywidgets"] == "100.0" and versions(installation)["lesson"] == "1.0"


def test_there_is_nothing_to_do_without_another_bundle(installation):
    done = installation.run("upgrade", "--defaults")
    assert "nothing to change" in done.stderr and installation.numbers() == [1]
