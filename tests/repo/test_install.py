"""install.sh, typed as the landing page says, on booted machines."""

import pytest

from tests.machines.machine import Machine
from tests.machines.places import suites
from tests.repo.workshop import KEYRING, SHIPPED, Workshop

SOURCES = "/etc/apt/sources.list.d/tljh.sources"
RECORD = """#!/bin/sh
set -e
mkdir -p /etc/tljh
echo secret-of-the-machine >/etc/tljh/initial-admin-password
{ echo "frontend=${DEBIAN_FRONTEND:-default}"; test -t 0 && echo terminal || echo no-terminal; } >/etc/tljh/record
"""


@pytest.fixture(scope="module")
def installable(tmp_path_factory):
    """tljh and its keyring package, which takes over the files that install.sh writes."""
    workshop = Workshop(tmp_path_factory.mktemp("installable"))
    workshop.make_both("0.1.0", fields="Depends: tljh-archive-keyring\n", scripts={"postinst": RECORD})
    workshop.make_keyring("0.1.0")
    workshop.build()
    return workshop


@pytest.fixture(params=suites())
def machine(request, installable, serve):
    with Machine(request.param, serve(installable)) as made:
        yield made.boot()


def command(machine):
    return f"curl -fsSL {machine.repository.url}/install.sh | bash"


def test_one_command_installs_and_can_be_repeated(machine, installable):
    first = machine.run(command(machine), environment={"DEBIAN_FRONTEND": ""})
    assert machine.output("dpkg-query -W -f '${Status}' tljh") == "install ok installed"
    assert machine.output("cat /etc/tljh/record").split() == ["frontend=noninteractive", "no-terminal"]
    assert f"http://{machine.address}/" in first.stdout
    assert "sudo cat /etc/tljh/initial-admin-password" in first.stdout
    assert "secret-of-the-machine" not in first.stdout + first.stderr
    stamp = machine.output(f"stat -c '%n %i %Y %a %U' {KEYRING} {SOURCES}")
    again = machine.run(command(machine))
    assert "wrote" not in again.stdout
    assert machine.output(f"stat -c '%n %i %Y %a %U' {KEYRING} {SOURCES}") == stamp
    assert machine.output("ls /tmp | grep ^tmp || true") == ""


def test_it_writes_what_the_keyring_package_ships(machine):
    machine.run(command(machine))
    assert machine.output(f"cat {SOURCES}") == machine.output(f"cat {SHIPPED}")
    assert machine.output("dpkg --verify tljh-archive-keyring") == ""
    assert machine.output(f"stat -c %a {KEYRING} {SOURCES}").split() == ["644", "644"]
    machine.run("apt-get purge -y tljh tljh-archive-keyring")
    assert machine.output(f"ls -d {KEYRING} {SOURCES}* 2>/dev/null || true") == ""


def test_removed_repository_does_not_break_apt_and_comes_back(machine):
    machine.run(command(machine))
    machine.run("apt-get remove -y tljh tljh-archive-keyring && apt-get --error-on=any update")
    assert machine.output("apt-cache policy tljh-archive-keyring | grep -c packages.tljh.test || true") == "0"
    machine.run(command(machine))
    assert machine.output(f"cat {SOURCES}") == machine.output(f"cat {SHIPPED}")
    machine.run("apt-get --error-on=any update && apt-get purge -y tljh tljh-archive-keyring")
    assert machine.output(f"ls -d {KEYRING} {SOURCES}* 2>/dev/null || true") == ""


def test_on_a_terminal_apt_may_ask(machine):
    typed = command(machine).replace("'", "'\\''")
    machine.run(f"script -qec '{typed}' /dev/null", environment={"DEBIAN_FRONTEND": ""})
    assert machine.output("cat /etc/tljh/record").split() == ["frontend=default", "terminal"]


def test_steps_of_the_page_by_hand_install_too(machine, installable):
    page = (installable.apt / "index.html").read_text()
    steps = page.split('<code id="steps">')[1].split("</code>")[0]
    for mark, text in (('<span class="line">', ""), ("</span>", ""), ("&amp;", "&"), ("&quot;", '"')):
        steps = steps.replace(mark, text)
    assert len(steps.splitlines()) == 4
    machine.run("set -e; yes() { :; }; export DEBIAN_FRONTEND=noninteractive\n"
                + steps.replace("apt install", "apt install -y"))
    assert machine.output("dpkg-query -W -f '${Status}' tljh") == "install ok installed"


def test_download_that_was_cut_off_does_nothing(machine, installable):
    script = (installable.apt / "install.sh").read_bytes()
    lengths = [*range(0, len(script) - 8, 211), *range(len(script) - 8, len(script) - 1)]
    script_path = "/root/install.sh"
    machine.write(script_path, script.decode())
    # Without its last newline the script is whole, so that length is not among them.
    machine.run(f"for n in {' '.join(map(str, lengths))}; do head -c $n {script_path} | bash || true; done")
    assert machine.output(f"ls {KEYRING} {SOURCES} /etc/tljh 2>/dev/null || true") == ""


def test_other_keyring_is_refused_before_anything_is_written(machine):
    machine.repository.replaced["/tljh-archive-keyring.gpg"] = b"a key of somebody else"
    done = machine.run(command(machine), check=False)
    assert done.returncode == 1
    assert "is not the key that this installer expects" in done.stderr
    assert "hint: " in done.stderr
    assert machine.output(f"ls {KEYRING} {SOURCES} 2>/dev/null || true") == ""


def test_broken_source_of_somebody_else_does_not_stop_it(machine):
    machine.write("/etc/apt/sources.list.d/broken.list", "deb [trusted=no] http://packages.tljh.test/nothing stable main\n")
    machine.run(command(machine))
    assert machine.output("dpkg-query -W -f '${Status}' tljh") == "install ok installed"


def test_other_systems_are_refused_by_name(machine):
    refused = {
        'ID=ubuntu\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n': "`Ubuntu 24.04.1 LTS` is not supported",
        'ID=debian\nVERSION_CODENAME=bullseye\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n': "(bullseye)` is not supported",
        'ID=debian\nPRETTY_NAME="Debian GNU/Linux sid"\n': "`Debian GNU/Linux sid` is not supported",
    }
    for text, reason in refused.items():
        machine.run("rm /etc/os-release")
        machine.write("/etc/os-release", text)
        done = machine.run(command(machine), check=False)
        assert done.returncode == 1
        assert reason in done.stderr
        assert "Debian 12 (bookworm), Debian 13 (trixie)" in done.stderr
    assert machine.output(f"ls {KEYRING} {SOURCES} 2>/dev/null || true") == ""


def test_it_needs_root_and_says_how(machine):
    done = machine.run(command(machine), user="nobody", check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("install.sh | sudo bash\n")
