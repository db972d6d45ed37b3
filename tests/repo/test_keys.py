"""The repository's key is replaced, as docs/repository.md says, before the eyes of machines that read it."""

import html
import re

import pytest

from tests.machines.machine import Machine
from tests.machines.places import suites
from tests.repo.workshop import KEYRING

UNKNOWN_KEY = re.compile("NO_PUBKEY|Missing key")
DEPENDS = "Depends: tljh-archive-keyring (= {})\n"


@pytest.fixture
def repository(workshop):
    """A published version 0.1.0 of tljh, with the keyring package."""
    publish(workshop, "0.1.0")
    return workshop


@pytest.fixture(params=suites())
def machine(request, repository, serve):
    """A machine on which that version is installed."""
    with Machine(request.param, serve(repository)) as made:
        made.boot()
        made.run(f"curl -fsSL {made.repository.url}/install.sh | bash")
        yield made


def publish(workshop, version):
    workshop.make_both(version, fields=DEPENDS.format(version))
    workshop.make_keyring(version)
    workshop.build()


def roles(workshop, command="list"):
    """{fingerprint: what it is there for} after `command`."""
    return dict(line.split() for line in workshop.keys(command).stdout.splitlines())


def trusted(repository, machine):
    """The fingerprints in the machine's keyring."""
    shown = repository.run("gpg", "--homedir", repository.key_home, "--with-colons", "--show-keys",
                           machine.root / KEYRING[1:]).stdout
    return re.findall(r"^fpr:+([0-9A-F]{40}):", shown, re.MULTILINE)


def upgrade(machine):
    """`apt update` without a word of warning, `apt upgrade`; the version that is installed then."""
    told = machine.run("apt-get --error-on=any update")
    assert not re.search("^W:|warning", told.stdout + told.stderr, re.MULTILINE | re.IGNORECASE), told.stdout + told.stderr
    machine.run("apt-get -y dist-upgrade")
    return machine.output("dpkg-query -W -f '${Version}' tljh-archive-keyring")


def test_a_machine_that_is_upgraded_follows_to_the_next_key_and_forgets_the_one_before(repository, machine):
    (first,) = roles(repository)
    roles(repository, "next")
    publish(repository, "0.2.0")
    assert upgrade(machine) == "0.2.0"
    known = trusted(repository, machine)
    assert len(known) == 2 and known[0] == first
    signed_before = (repository.apt / "dists" / machine.suite / "InRelease").read_bytes()

    roles(repository, "switch")
    publish(repository, "0.3.0")
    assert upgrade(machine) == "0.3.0"

    (second,) = roles(repository, "drop")
    assert second != first
    publish(repository, "0.4.0")
    assert upgrade(machine) == "0.4.0"
    assert trusted(repository, machine) == [second]
    # Whoever got hold of the first key by then.
    machine.repository.replaced[f"/dists/{machine.suite}/InRelease"] = signed_before
    refused = machine.run("apt-get --error-on=any update", check=False)
    assert refused.returncode != 0
    assert UNKNOWN_KEY.search(refused.stdout + refused.stderr), refused.stdout + refused.stderr


def test_a_machine_that_missed_the_next_key_needs_the_one_command_of_the_page(repository, machine):
    roles(repository, "next")
    roles(repository, "both")
    publish(repository, "0.2.0")
    # While both sign, whoever knows one of them is served.
    told = machine.run("apt-get --error-on=any update")
    assert "W:" not in told.stderr
    roles(repository, "switch")
    publish(repository, "0.3.0")
    refused = machine.run("apt-get --error-on=any update", check=False)
    assert refused.returncode != 0
    assert UNKNOWN_KEY.search(refused.stdout + refused.stderr), refused.stdout + refused.stderr
    page = (repository.apt / "index.html").read_text()
    assert "NO_PUBKEY" in page and "Missing key" in page
    command = html.unescape(page.split('<code id="key-command">')[1].split("</code>")[0])
    machine.run(command.replace("sudo ", ""))
    assert upgrade(machine) == "0.3.0"
    assert machine.output("dpkg --verify tljh-archive-keyring") == ""


def test_a_reader_who_knows_only_the_next_key_is_served_while_both_sign(repository, serve, reader):
    roles(repository, "next")
    roles(repository, "both")
    publish(repository, "0.2.0")
    released = repository.apt / "dists/bookworm/InRelease"
    signed_by_both = released.read_bytes()
    roles(repository, "switch")
    roles(repository, "drop")
    publish(repository, "0.3.0")
    server = serve(repository)
    apt = reader(server)
    assert apt.update().returncode == 0
    server.replaced["/dists/bookworm/InRelease"] = signed_by_both
    apt = reader(server)
    done = apt.update()
    assert done.returncode == 0 and not UNKNOWN_KEY.search(done.stderr), done.stderr
    assert apt.versions() == ["0.2.0", "0.1.0"]


def test_every_step_may_be_repeated(workshop):
    (first,) = roles(workshop)
    after = {}
    for command in ("next", "both", "switch", "drop"):
        after[command] = roles(workshop, command)
        assert roles(workshop, command) == after[command]
    (second,) = set(after["next"]) - {first}
    assert after == {
        "next": {first: "signs", second: "next"},
        "both": {first: "signs", second: "signs"},
        "switch": {first: "previous", second: "signs"},
        "drop": {second: "signs"},
    }


def test_a_switch_that_was_cut_off_is_completed(workshop):
    (first,) = roles(workshop)
    (second,) = set(roles(workshop, "next")) - {first}
    # Between its two steps.
    (workshop.key_home / "previous-keys").write_text(f"{first}\n")
    assert roles(workshop) == {first: "signs", second: "next"}
    assert roles(workshop, "drop") == {first: "signs", second: "next"}
    (workshop.key_home / "previous-keys").write_text(f"{first}\n")
    assert roles(workshop, "switch") == {first: "previous", second: "signs"}


def test_there_is_nothing_to_switch_to_before_the_next_key(workshop):
    for command in ("both", "switch"):
        done = workshop.keys(command, check=False)
        assert done.returncode == 1
        assert "error: there is no next key in" in done.stderr and "hint: packaging/repo/keys.sh next" in done.stderr
    assert list(roles(workshop).values()) == ["signs"]


def test_private_keys_stay_private_and_a_dropped_one_is_gone(workshop):
    told = "".join(done.stdout + done.stderr for done in map(workshop.keys, ("next", "switch", "list")))
    kept = list((workshop.key_home / "private-keys-v1.d").iterdir())
    assert len(kept) == 2
    for file in workshop.key_home.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    assert "PRIVATE" not in told
    workshop.keys("drop")
    assert len(list((workshop.key_home / "private-keys-v1.d").iterdir())) == 1
