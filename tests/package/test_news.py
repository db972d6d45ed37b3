"""NEWS and changelog, as Debian's apt-listchanges shows them."""

import gzip

import pytest

from tests.machines.places import PROJECT
from tests.package.building import build, read_file, reveal

NEWS = """tljh (0.1.1) unstable; urgency=medium

  Each teacher has to feed the cat by hand from now on.

 -- The Littlest JupyterHub packagers <packagers@tljh.invalid>  Fri, 01 Jan 2027 12:00:00 +0000
"""


@pytest.fixture(scope="module")
def next_version(suite, tmp_path_factory):
    """The folder of the next version of two packages, which comes with news."""
    folder = tmp_path_factory.mktemp("next")
    (folder / "NEWS").write_text(NEWS)
    made = build(suite, ["tljh", "tljh-config"], folder / "build", VERSION="0.1.1", NEWS=str(folder / "NEWS"))
    return made["tljh"].parent


def listchanges(system, which, *debs):
    """What an administrator would read before the upgrade, without the words about how far it is."""
    told = system.run("apt-listchanges", "--frontend=text", f"--which={which}", "--no-network", *debs).stdout
    return "".join(line for line in told.splitlines(keepends=True) if not line.startswith("apt-listchanges: Reading"))


def test_news_are_in_each_package_and_only_where_there_are_some(next_version, debs):
    for path in next_version.glob("*.deb"):
        name = path.name.split("_")[0]
        assert gzip.decompress(read_file(path, f"/usr/share/doc/{name}/NEWS.Debian.gz")).decode() == NEWS
    kept = PROJECT / "debian/NEWS"
    for name, deb in debs.items():
        shipped = read_file(deb.path, f"/usr/share/doc/{name}/NEWS.Debian.gz")
        assert (gzip.decompress(shipped).decode() if shipped else None) == (kept.read_text() if kept.exists() else None)


def test_apt_listchanges_shows_news_and_changelog_once_for_all_packages(next_version, debs, bare_system, suite):
    reveal(debs["tljh-config"].path.parent, bare_system)
    installed = [f"/mnt/{debs[name].path.name}" for name in ("tljh-config", "tljh-archive-keyring")]
    bare_system.run("dpkg", "--force-depends", "--install", *installed)
    # What is installed is no news.
    assert listchanges(bare_system, "both", *installed) == ""

    reveal(next_version, bare_system)
    coming = [f"/mnt/{path.name}" for path in sorted(next_version.glob("*.deb"))]
    news = listchanges(bare_system, "news", *coming)
    assert news.count("feed the cat by hand") == 1
    assert "First release" not in news
    both = listchanges(bare_system, "both", *coming)
    assert both.count("feed the cat by hand") == 1
    # Both versions have this entry, under different numbers. Since Debian 13 it is known by its text.
    assert both.count("First release") == (1 if suite == "bookworm" else 0)


def test_every_package_names_its_source(debs):
    for name, deb in debs.items():
        assert deb.fields.get("Source") == (None if name == "tljh" else "tljh")
