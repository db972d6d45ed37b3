"""News for administrators, where apt-listchanges is installed: shown to who looks, and in nobody's way at night."""

import gzip

from tests.machines.install import install, wait_for_login_page
from tests.machines.newer import Newer, index_debs

ON_ANY_RELEASE = True
ARCHIVE = "/srv/archive"
NEWS = """tljh ({version}) unstable; urgency=medium

  {text}

 -- The Littlest JupyterHub packagers <packagers@tljh.invalid>  Fri, 01 Jan 2027 12:00:00 +0000
"""


def offer(machine, suite, folder, number, text):
    """Has apt know a next version, with these news; returns it."""
    folder.mkdir()
    newer = Newer(suite, folder, number)
    news = NEWS.format(version=newer.version, text=text)
    for package in newer.packages():
        (package / f"usr/share/doc/{package.name}/NEWS.Debian.gz").write_bytes(gzip.compress(news.encode()))
    archive = machine.root / ARCHIVE.lstrip("/")
    archive.mkdir(exist_ok=True)
    newer.build(archive)
    index_debs(archive)
    release = machine.output(f"cd {ARCHIVE} && apt-ftparchive -o APT::FTPArchive::Release::Origin=tljh release .")
    (archive / "Release").write_text(release + "\n")
    machine.write("/etc/apt/sources.list.d/archive.list", f"deb [trusted=yes] file:{ARCHIVE} ./\n")
    machine.run("apt-get -q update")
    return newer.version


def installed_version(machine):
    return machine.output("dpkg-query -W -f '${Version}' tljh")


def test_news_are_shown_by_apt_and_stop_no_upgrade_that_nobody_watches(shared, suite, tmp_path):
    install(shared, "apt-listchanges unattended-upgrades")
    version = offer(shared, suite, tmp_path / "first", 1, "Each teacher has to feed the cat by hand from now on.")
    done = shared.run("apt-get -y dist-upgrade", timeout=600)
    assert done.stdout.count("feed the cat by hand") == 1, done.stdout + done.stderr
    assert installed_version(shared) == version

    version = offer(shared, suite, tmp_path / "second", 2, "The cat has learned to feed itself.")
    shared.write("/etc/apt/apt.conf.d/51tests", 'Unattended-Upgrade::Origins-Pattern { "origin=tljh"; };\n')
    done = shared.run("unattended-upgrade -v", timeout=600)
    assert installed_version(shared) == version, done.stdout + done.stderr
    assert shared.output("dpkg --audit") == ""
    wait_for_login_page(shared)
