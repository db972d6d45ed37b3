"""Backups, migrations of the state, and upgrades and downgrades that are refused before anything is unpacked."""

import json
import re
import subprocess
import sys

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import http_status, wait_for_login_page
from tests.machines.places import CACHE, PROJECT, locked

ON_ANY_RELEASE = True

PASSWORD = "a first password"
PAGE = PROJECT / "docs/backups.md"
STATE = "/var/lib/tljh/state-version"
DATABASE = "/var/lib/tljh/jupyterhub.sqlite"
# The schema before JupyterHub's newest: only a column `display_name` of `spawners` is missing there.
EARLIER = "ff1860e38070"
OLD_HUB = "5.5.4"


def backups(machine):
    return [json.loads(line) for line in machine.output("tljh-hub backup list --json").splitlines()]


def create(machine):
    return json.loads(machine.output("tljh-hub backup create --json"))["number"]


def hub_process(machine):
    return machine.output("systemctl show --property=MainPID --value jupyterhub")


def versions(machine):
    return machine.output("dpkg-query --show 'tljh*'")


def sql(machine, statement, path=DATABASE):
    code = ("import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30);"
            " [print(*row) for row in c.execute(sys.argv[2])]; c.commit()")
    return machine.output(["python3", "-c", code, path, statement])


def revision(machine, path=DATABASE):
    return sql(machine, "select version_num from alembic_version", path)


def may_log_in(machine, name):
    return "/hub/home" in HubClient(machine.url, name).post_login(PASSWORD).url


@pytest.fixture(scope="module")
def pupil(shared, teacher):
    # These tests take longer than an idle server is left running.
    shared.run("tljh-config set services.cull.enabled false && tljh-config reload hub")
    teacher.add_user("pupil")
    client = HubClient(shared.url, "pupil").login(PASSWORD)
    client.start_server()
    return client


@pytest.fixture(scope="module")
def old_database():
    """A database that JupyterHub 5.5.4 made, with a user."""
    kept = CACHE / f"jupyterhub-{OLD_HUB}"
    with locked(kept.name):
        if not (kept / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", kept], check=True)
            subprocess.run([kept / "bin/pip", "install", "--quiet", f"jupyterhub=={OLD_HUB}"], check=True)
            (kept / "done").touch()
    database = kept / "jupyterhub.sqlite"
    database.unlink(missing_ok=True)
    code = ("import sys; from jupyterhub import orm; session = orm.new_session_factory('sqlite:///' + sys.argv[1])();"
            " session.add(orm.User(name='veteran')); session.commit()")
    subprocess.run([kept / "bin/python", "-c", code, database], check=True)
    return database.read_bytes()


def test_a_new_installation_has_a_state_of_the_newest_version_and_no_backup(shared):
    _, newest, _, schema = shared.output("tljh-hub state-range").split()
    assert (shared.output(f"cat {STATE}"), revision(shared)) == (newest, schema)
    assert shared.output("tljh-hub backup list") == ""


def test_a_backup_gives_back_users_passwords_and_configuration_while_servers_run(shared, teacher, pupil):
    kernel = pupil.start_kernel()
    kernel.run("held = 42")
    teacher.add_user("gone")
    HubClient(shared.url, "gone").login(PASSWORD)
    shared.run("tljh-config set limits.memory 3G")
    number = create(shared)
    teacher.api("DELETE", "users/gone")
    teacher.add_user("later")
    shared.run("tljh-config unset limits.memory")
    shared.write("/etc/tljh/jupyterhub_config.d/later.py", "c.Spawner.debug = True\n")
    assert not may_log_in(shared, "gone") and may_log_in(shared, "later")
    said = shared.output(f"tljh-hub backup restore {number}")
    assert f"backup {number} was put back; what was there is backup {number + 1}" in said
    wait_for_login_page(shared)
    assert may_log_in(shared, "gone") and not may_log_in(shared, "later")
    assert shared.output("tljh-config get limits.memory") == "3G"
    assert shared.output("ls /etc/tljh/jupyterhub_config.d") == ""
    assert kernel.run("print(held)") == "42\n"
    # Undone in the same way.
    shared.run(f"tljh-hub backup restore {number + 1}")
    wait_for_login_page(shared)
    assert may_log_in(shared, "later") and not may_log_in(shared, "gone")
    shared.run(f"tljh-hub backup restore {number}")
    wait_for_login_page(shared)
    assert shared.output("ls -A /etc | grep tljh") == "tljh"


def test_backups_are_bounded_and_roots_alone(shared):
    newest = max(create(shared) for _ in range(12))
    kept = [backup["number"] for backup in backups(shared)]
    assert kept == list(range(newest, newest - 10, -1))
    assert shared.output("find /var/lib/tljh/backups -perm /077") == ""
    folders = shared.output("ls /var/lib/tljh/backups").split()
    assert sorted(map(int, folders)) == sorted(kept)


def test_a_truncated_backup_is_refused_and_the_hub_does_not_notice(shared):
    number, process = create(shared), hub_process(shared)
    copy = f"/var/lib/tljh/backups/{number}/files{DATABASE}"
    shared.run(f"truncate --size=-100 {copy}")
    refused = shared.run(f"tljh-hub backup restore {number}", check=False)
    assert refused.returncode == 1 and "nothing was changed" in refused.stderr and "hint: " in refused.stderr
    assert hub_process(shared) == process
    shared.run(f"rm -r /var/lib/tljh/backups/{number}")


def test_a_full_disk_is_said_and_loses_nothing(shared):
    before = backups(shared)
    shared.run("mkdir /mnt/kept && mount --bind /var/lib/tljh/backups /mnt/kept && mount -t tmpfs -o size=4M tmpfs /var/lib/tljh/backups")
    try:
        refused = shared.run("tljh-hub backup create", check=False)
        assert refused.returncode == 1 and "free some space" in refused.stderr
        assert shared.output("ls -A /var/lib/tljh/backups") == ".lock"
    finally:
        shared.run("umount /var/lib/tljh/backups /mnt/kept && rmdir /mnt/kept")
    assert backups(shared) == before


@pytest.mark.parametrize("finished_by", ["repetition", "the hub's start"])
@pytest.mark.parametrize("seen", ["/var/lib/tljh/backups/.restoring", "/etc/.tljh.restored", "/var/lib/tljh/.jupyterhub.sqlite.restored"])
def test_a_restore_that_was_killed_is_finished(shared, seen, finished_by):
    """Killed when `seen` is there: noted, with half of the configuration, with half of the database."""
    number = create(shared)
    # Both take their time to be put back.
    sql(shared, "create table later as select zeroblob(10000000)")
    shared.run("head -c 10000000 /dev/urandom > /etc/tljh/large")
    large = create(shared)
    kill = (f"tljh-hub backup restore {large} & while kill -0 $! && ! test -e {seen}; do :; done; kill -9 $!;"
            " test -e /var/lib/tljh/backups/.restoring")
    for _ in range(20):
        killed = shared.run(kill, check=False)
        if killed.returncode == 0:
            break
    assert killed.returncode == 0, killed.stderr[-2000:]
    # No hub on a half of each.
    assert shared.output("systemctl is-active jupyterhub", check=False) in ("inactive", "failed")
    if finished_by == "repetition":
        shared.run("tljh-hub backup restore")
    else:
        shared.run("systemctl start jupyterhub")
        assert "had been interrupted and is done now" in shared.output("journalctl -u jupyterhub -n 100")
    wait_for_login_page(shared)
    assert sql(shared, "select count(*) from later") == "1"
    assert shared.output("stat -c %s /etc/tljh/large") == "10000000"
    shared.run(f"tljh-hub backup restore {number}")
    wait_for_login_page(shared)
    assert sql(shared, "select count(*) from sqlite_master where name = 'later'") == "0"
    assert shared.output("ls -A /etc/tljh | grep large; ls -A /var/lib/tljh /etc | grep restor", check=False) == ""


def test_a_database_of_jupyterhub_5_is_migrated_before_the_hub_starts_on_it(shared, old_database):
    present = create(shared)
    shared.run(f"systemctl stop jupyterhub && rm -f {STATE} /var/lib/tljh/database-schema")
    (shared.root / "var/tmp/old.sqlite").write_bytes(old_database)
    shared.run(f"install -m 600 /var/tmp/old.sqlite {DATABASE}")
    old = revision(shared)
    shared.run("systemctl start jupyterhub")
    wait_for_login_page(shared)
    _, newest, _, schema = shared.output("tljh-hub state-range").split()
    assert old != schema == revision(shared)
    assert (shared.output(f"cat {STATE}"), sql(shared, "select name from users where name = 'veteran'")) == (newest, "veteran")
    made = backups(shared)[0]
    assert made["state_version"] == 1 and "migration" in made["reason"]
    assert revision(shared, f"{made['folder']}/files{DATABASE}") == old
    shared.run(f"tljh-hub backup restore {present}")
    wait_for_login_page(shared)


def test_a_database_that_a_snippet_names_is_migrated_by_jupyterhub_itself(shared, old_database):
    (shared.root / "var/tmp/old.sqlite").write_bytes(old_database)
    shared.run("install -D -m 600 /var/tmp/old.sqlite /srv/own/hub.sqlite")
    shared.write("/etc/tljh/jupyterhub_config.d/own.py", "c.JupyterHub.db_url = 'sqlite:////srv/own/hub.sqlite'\n")
    ours = shared.output(f"sha256sum {DATABASE}")
    shared.run("systemctl restart jupyterhub")
    wait_for_login_page(shared)
    assert revision(shared, "/srv/own/hub.sqlite") == revision(shared)
    assert ours == shared.output(f"sha256sum {DATABASE}")
    shared.run("rm /etc/tljh/jupyterhub_config.d/own.py && systemctl restart jupyterhub")
    wait_for_login_page(shared)


def assert_refused(machine, done, before):
    """apt failed, and nothing happened."""
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "nothing was changed" in said, said
    assert machine.output("dpkg --audit") == ""
    assert (versions(machine), hub_process(machine)) == before
    assert machine.run("apt-get check", check=False).returncode == 0
    assert http_status(machine.url + "hub/login") == 200
    return said


def test_an_upgrade_from_a_state_that_is_too_old_is_refused_before_anything_is_unpacked(shared, pupil, newer):
    before = versions(shared), hub_process(shared)
    known = shared.output(f"cat {STATE}")
    shared.write(STATE, "0\n", 0o600)
    packages = newer(1)
    said = assert_refused(shared, packages.attempt(shared), before)
    assert "pass through version 0.1.0" in said
    shared.write(STATE, f"{known}\n", 0o600)
    # The same packages, once they may.
    done = packages.repeat(shared)
    shared.run("rm /var/tmp/*.deb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"backup \d+ holds configuration and state of before", done.stdout + done.stderr)
    made = backups(shared)[0]
    assert made["package"] in before[0] and "before the change to" in made["reason"]
    wait_for_login_page(shared)
    assert pupil.start_kernel().run("print(6 * 7)") == "42\n"


def test_a_version_that_does_not_know_the_state_is_refused_and_the_way_back_it_names_works(shared, pupil, newer):
    known = shared.output(f"cat {STATE}")
    shared.write(STATE, "1\n", 0o600)
    number = create(shared)
    shared.write(STATE, f"{known}\n", 0o600)
    for _ in range(11):
        create(shared)
    packages = newer(0)
    for unpacked in packages.packages():
        script = unpacked / "DEBIAN/preinst"
        script.write_text(script.read_text().replace(f"newest={known}\n", "newest=1\n"))
    before = versions(shared), hub_process(shared)
    said = assert_refused(shared, packages.attempt(shared), before)
    command = re.search(r"`sudo (tljh-hub backup restore --keep-stopped \d+)`", said)[1]
    assert command.endswith(f" {number}")
    shared.run(command)
    assert shared.output("systemctl is-active jupyterhub", check=False) in ("inactive", "failed")
    assert shared.output(f"cat {STATE}") == "1"
    done = packages.repeat(shared)
    shared.run("rm /var/tmp/*.deb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions(shared) != before[0]
    wait_for_login_page(shared)
    assert pupil.start_kernel().run("print(6 * 7)") == "42\n"


def test_a_migration_that_fails_leaves_the_old_hub_running_and_can_be_repeated(shared, newer):
    # As a hub that was killed while it migrated in place left it: the column is there already.
    sql(shared, f"update alembic_version set version_num = '{EARLIER}'")
    shared.run(f"rm -f {STATE} /var/lib/tljh/database-schema")
    process = hub_process(shared)
    packages = newer(3)
    done = packages.attempt(shared)
    shared.run("rm /var/tmp/*.deb")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "error: the upgrade was stopped; the state is as it was" in said, said
    assert "duplicate column name: display_name" in said and "hint: when that is mended, run `sudo dpkg --configure -a`" in said
    assert (hub_process(shared), http_status(shared.url + "hub/login")) == (process, 200)
    assert shared.run(f"test -e {STATE}", check=False).returncode == 1
    assert revision(shared) == EARLIER
    again = shared.run("dpkg --configure -a", check=False, timeout=600)
    assert again.returncode != 0 and hub_process(shared) == process
    sql(shared, "alter table spawners drop column display_name")
    shared.run("dpkg --configure -a", timeout=600)
    wait_for_login_page(shared)
    _, newest, _, schema = shared.output("tljh-hub state-range").split()
    assert (shared.output(f"cat {STATE}"), revision(shared)) == (newest, schema)
    assert shared.output("dpkg --audit") == ""
    assert hub_process(shared) != process
    assert may_log_in(shared, "gone")


def test_a_downgrade_that_the_state_allows_works_and_says_what_it_did(shared, pupil):
    old = json.loads(shared.output("tljh-hub backup create --json"))["package"].rsplit(".", 1)[0]
    # As the page has it, but for the questions.
    command = re.search(r"^    sudo apt (install tljh\S+)=0.1.0\+deb12$", PAGE.read_text(), re.M)[1]
    done = shared.run(f"apt-get --yes --quiet --allow-downgrades {command}={old}", timeout=600)
    said = done.stdout + done.stderr
    assert "going back from" in said and "serves both and stays" in said, said
    assert backups(shared)[0]["reason"] == f"before the change to {old}"
    assert shared.output("dpkg --audit") == ""
    wait_for_login_page(shared)
    assert may_log_in(shared, "gone")
    assert pupil.start_kernel().run("print(6 * 7)") == "42\n"


def test_every_command_of_the_documentation_works(shared):
    commands = re.findall(r"^    sudo (tljh-hub .*|dpkg .*)$", PAGE.read_text(), re.M)
    assert len(commands) >= 5
    numbers = [backup["number"] for backup in backups(shared)]
    for command in commands:
        # On a fresh server the first backup has the number of the page.
        shared.run(re.sub(r" 1$", f" {numbers[0]}", command), timeout=300)
    shared.run("systemctl start jupyterhub")
    wait_for_login_page(shared)
