"""Which packages a change makes of an environment."""

import pytest

from tests.conda.channel import Channel
from tests.conda.engine import Engine, Refused, changes


@pytest.fixture
def shelf(channel):
    """Some packages: `app` needs `lib`; `lib` has three versions, of which `old` takes only the first."""
    for version in ("1.0", "2.0", "3.0"):
        channel.add("lib", version, {"share/lib": version})
    channel.add("app", "1.0", depends=["lib >=2"])
    channel.add("app", "1.1", depends=["lib >=2"])
    channel.add("old", "1.0", depends=["lib <2"], archive="tar.bz2")
    channel.add("plugin", "1.0", depends=["app"])
    channel.add("alone", "1.0")
    return channel.write_index()


def test_what_is_asked_for_comes_with_all_that_it_needs(shelf, engine, workshop):
    answer = engine.solve("plugin", prefix=workshop / "none")
    assert changes(answer) == {"plugin": (None, "1.0"), "app": (None, "1.1"), "lib": (None, "3.0")}
    sizes = [record["size"] for record in answer["packages"]]
    assert answer["download"] == answer["size"] == sum(sizes)
    assert all(len(record["sha256"]) == 64 and record["url"].startswith(shelf.url) for record in answer["packages"])
    assert set(answer["seconds"]) == {"repodata", "solve"}


def test_over_http_the_answer_is_the_same(shelf, engine, remote):
    here, there = engine.solve("plugin"), remote.solve("plugin")
    assert changes(here) == changes(there)


def test_what_is_in_the_cache_is_not_downloaded_again(shelf, engine, workshop):
    solved, _ = engine.make(workshop / "one", "app")
    again = engine.solve("app", "alone", prefix=workshop / "two")
    [alone] = [record for record in again["packages"] if record["name"] == "alone"]
    assert again["download"] == alone["size"]
    assert again["size"] == solved["size"] + alone["size"]


def test_an_environment_changes_no_more_than_it_must(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "app=1.0", "lib=2.0")
    assert changes(engine.solve("alone", "plugin", prefix=prefix)) == {"alone": (None, "1.0"), "plugin": (None, "1.0")}
    assert changes(engine.solve("app", "lib", prefix=prefix)) == {}


def test_an_update_moves_what_was_named_and_no_more(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "app=1.0", "lib=2.0")
    assert changes(engine.solve(prefix=prefix, update=["lib"])) == {"lib": ("2.0", "3.0")}
    assert changes(engine.solve(prefix=prefix, update_all=True)) == {"lib": ("2.0", "3.0"), "app": ("1.0", "1.1")}


def test_what_was_asked_for_earlier_goes_on_holding(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "app=1.0", "lib=2.0")
    kept = engine.solve(prefix=prefix, update_all=True, keep=["lib<3"])
    assert changes(kept) == {"app": ("1.0", "1.1")}
    asked = engine.solve("lib=3", prefix=prefix, keep=["lib<3"])
    assert changes(asked) == {"lib": ("2.0", "3.0")}


def test_a_removed_package_takes_along_what_needs_it(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "plugin", "alone")
    answer = engine.solve(prefix=prefix, remove=["app"], keep=["plugin", "alone"])
    assert changes(answer) == {"app": ("1.1", None), "plugin": ("1.0", None)}
    assert {record["name"] for record in answer["packages"]} == {"lib", "alone"}


def test_everything_can_be_removed(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "plugin")
    answer = engine.solve(prefix=prefix, remove=["lib"])
    assert len(answer["steps"]) == 3 and answer["packages"] == []


def test_what_installed_packages_need_goes_on_holding(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "app")
    with pytest.raises(Refused) as refused:
        engine.solve("old", prefix=prefix)
    assert refused.value.kind == "conflict"
    assert refused.value.names == ["old"]
    assert "lib <2" in refused.value.message and "app" in refused.value.message
    assert len(refused.value.message.splitlines()) < 25


def test_what_nobody_asked_for_goes_if_it_must(shelf, engine, workshop):
    prefix = workshop / "prefix"
    engine.make(prefix, "app", "alone")
    answer = engine.solve("old", prefix=prefix, keep=["alone"])
    assert changes(answer) == {"old": (None, "1.0"), "app": ("1.1", None), "lib": ("3.0", "1.0")}


def test_a_constraint_holds_for_what_is_there_and_brings_nothing(shelf, engine):
    answer = engine.solve("app", constrain=["lib<3", "alone>=1"])
    assert changes(answer) == {"app": (None, "1.1"), "lib": (None, "2.0")}


def test_a_package_of_an_earlier_channel_is_never_taken_from_a_later_one(shelf, workshop):
    first = Channel(workshop / "first")
    first.add("lib", "2.5")
    first.write_index()
    answer = Engine(workshop, [first.url, shelf.url]).solve("app")
    assert changes(answer)["lib"] == (None, "2.5")
    answer = Engine(workshop, [shelf.url, first.url]).solve("app")
    assert changes(answer)["lib"] == (None, "3.0")


def test_a_package_comes_only_to_a_machine_that_can_run_it(channel, engine):
    channel.add("gpu", "1.0", depends=["__cuda >=12"])
    channel.add("libc", "1.0", depends=["__glibc >=2.17", "__linux"])
    channel.write_index()
    assert changes(engine.solve("libc")) == {"libc": (None, "1.0")}
    with pytest.raises(Refused, match="__cuda"):
        engine.solve("gpu")
    answer = engine.solve("gpu", environment={"CONDA_OVERRIDE_CUDA": "12.4"})
    assert changes(answer) == {"gpu": (None, "1.0")}


def test_a_misspelt_name_is_told_with_names_that_look_alike(shelf, engine):
    with pytest.raises(Refused) as refused:
        engine.solve("pluginn")
    assert (refused.value.kind, refused.value.names) == ("unknown", ["pluginn"])
    assert "did you mean `plugin`" in refused.value.message


def test_a_version_that_nobody_has_is_told_with_the_newest(shelf, engine):
    with pytest.raises(Refused) as refused:
        engine.solve("lib>=7")
    assert (refused.value.kind, refused.value.names) == ("unknown", ["lib"])
    assert "newest is 3.0" in refused.value.message


@pytest.mark.parametrize("spec", ["--help", "-c evil", "../lib", "/etc/passwd", "./lib.conda", "lib*", "", "lib >=",
                                  "https://example.org/lib-1.0-0.conda", "lib[url='https://example.org/lib-1-0.conda']"])
@pytest.mark.parametrize("where", ["install", "keep", "constrain", "remove", "update"])
def test_a_name_with_a_path_or_an_option_in_it_is_refused(shelf, engine, where, spec):
    with pytest.raises(Refused) as refused:
        engine.run("solve", {"channels": engine.channels, "cache": str(engine.cache), where: [spec]})
    assert refused.value.kind == "request"


def test_what_is_not_installed_is_neither_removed_nor_updated(shelf, engine, workshop):
    for how in ("remove", "update"):
        with pytest.raises(Refused) as refused:
            engine.solve(prefix=workshop / "none", **{how: ["lib"]})
        assert (refused.value.kind, refused.value.names) == ("request", ["lib"])


@pytest.mark.parametrize("request_", ["", "{}", "[]", '{"channels": ["x"], "cache": "/tmp", "colour": "red"}'])
def test_a_request_that_is_not_understood_is_refused(engine, request_):
    with pytest.raises(Refused) as refused:
        engine.run("solve", request_)
    assert refused.value.kind == "request"


@pytest.mark.parametrize("channel_", ["", "--x", "../channel", "/srv/channel", "ftp://example.org/x", "a b"])
def test_what_is_no_channel_is_refused(workshop, channel_):
    with pytest.raises(Refused) as refused:
        Engine(workshop, [channel_]).solve("lib")
    assert refused.value.kind == "channel"


def test_a_search_tells_the_newest_of_each_name_or_all_of_one(shelf, engine):
    def found(pattern):
        answer = engine.run("search", {"channels": engine.channels, "cache": str(engine.cache), "pattern": pattern})
        return [(one["name"], one["version"]) for one in answer["packages"]]

    assert found("lib") == [("lib", "3.0"), ("lib", "2.0"), ("lib", "1.0")]
    assert found("*l*") == [("alone", "1.0"), ("lib", "3.0"), ("old", "1.0"), ("plugin", "1.0")]
    assert found("nothing") == found("nothing*") == []
    for pattern in ("", "-x", "../lib", "lib;x"):
        with pytest.raises(Refused):
            found(pattern)
