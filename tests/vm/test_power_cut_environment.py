"""Power cuts while the user environment changes: it is what it was or the new one, whole; what was done stays done."""

import hashlib
import json

import pytest

from tests.machines.environment import GENERATIONS, active
from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password, wait_for_login_page
from tests.user_env.wheels import make_wheel

from patience import HUB, PATIENCE, give_servers_time
from power import cut_after, cut_once

INDEX = "/srv/wheels"
SITE = "lib/python3*/site-packages"


@pytest.fixture(scope="module")
def index(machine, tmp_path_factory):
    """Two versions of `lesson` and a uv that knows of nothing else; what there is now is on disk."""
    machine.boot(without=HUB)
    folder = tmp_path_factory.mktemp("wheels")
    machine.run(f"mkdir -p {INDEX} /etc/uv")
    for version in ("1.0", "2.0"):
        wheel = make_wheel(folder, "lesson", version, {"lesson/data.txt": data(version)})
        machine.write(f"{INDEX}/{wheel.name}", wheel.read_bytes())
    # From the next boot on, too.
    machine.write("/etc/sysctl.d/99-writes.conf", "vm.dirty_writeback_centisecs = 0\n")
    machine.write("/etc/uv/uv.toml", f'no-index = true\nfind-links = ["{INDEX}"]\n')
    machine.run("sync")


def data(version):
    """More than fits into the file system's own records."""
    return f"{version} " * 20_000


def install(version):
    return f"tljh-user-env install --yes lesson=={version}"


def assert_sound(machine):
    told = json.loads(machine.run("tljh-user-env check --json", check=False, timeout=PATIENCE).stdout)
    assert told["sound"] and told["problems"] == [], told
    assert told["generation"] == active(machine)


def lesson(machine):
    """The version that a kernel would import, with its data; None if there is none."""
    folder = f"/opt/tljh/user/{SITE}/lesson"
    if machine.run(f"test -d {folder}", check=False).returncode:
        return None
    version = machine.output(f"cat {folder}/__init__.py").removeprefix("VERSION = ").strip("'")
    digest = hashlib.sha256(data(version).encode()).hexdigest()
    assert machine.output(f"sha256sum < {folder}/data.txt").split()[0] == digest
    return version


@pytest.mark.parametrize("moment", [
    pytest.param(f"test -d {GENERATIONS}/$next/lib", id="the_folder_has_appeared"),
    pytest.param("pgrep -f \"generations/$next/bin/python -m jupyterhub\"", id="the_new_one_is_tried_out"),
])
def test_before_the_new_one_is_ready_the_old_one_stays(machine, index, moment):
    before = active(machine)
    cut_once(machine, f"next={before + 1}; {moment} > /dev/null", install("1.0"))
    machine.boot(without=HUB)
    assert active(machine) == before
    assert lesson(machine) is None
    assert_sound(machine)


def test_once_its_record_is_written_it_is_the_old_one_or_the_new_one_whole(machine, index):
    before = active(machine)
    ready = f'grep -qs \'"state": *"ready"\' {GENERATIONS}/{before + 1}.json'
    cut_once(machine, ready, install("1.0"), may_end=True)
    machine.boot(without=HUB)
    assert (active(machine), lesson(machine)) in ((before, None), (before + 1, "1.0"))
    assert_sound(machine)


def test_what_install_said_to_be_done_is_there(machine, index):
    cut_after(machine, install("2.0"))
    machine.boot(without=HUB)
    assert lesson(machine) == "2.0"
    assert_sound(machine)


def test_the_copy_that_a_repair_goes_back_to_is_whole_wherever_it_stands(machine):
    number = active(machine)
    # The cut before left it to be made; the hub's start asks for it.
    machine.start("systemctl start tljh-user-env-compile")
    copy = f"{GENERATIONS}/.private/sealed/{number}"
    cut_once(machine, f"test -d {copy}")
    machine.boot(without=HUB)
    compare = f"diff -r --no-dereference --exclude=__pycache__ {copy} {GENERATIONS}/{number}"
    machine.run(f"test ! -d {copy} || {compare}", timeout=PATIENCE)


def test_a_server_starts_from_it_and_a_kernel_works(machine):
    give_servers_time(machine)
    machine.poweroff()
    machine.boot()
    wait_for_login_page(machine, deadline=PATIENCE)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    teacher.start_server(deadline=PATIENCE)
    assert teacher.start_kernel().run("import lesson; print(lesson.VERSION)", PATIENCE) == "2.0\n"
