"""The environment that everybody uses is broken by hand in the middle of a term; lessons go on."""

import json
import re
import threading
import time

import pytest

from tests.machines.environment import active, wait_until_settled
from tests.machines.browser import Browser
from tests.machines.hub_client import HubClient
from tests.machines.places import wait_for
from tests.user_env.wheels import make_wheel

import lab

ON_ANY_RELEASE = True

PASSWORD = "a first password"
RECORD = "/opt/tljh/generations/fallback.json"
SITE = "/opt/tljh/user/lib/python3*/site-packages"


def standing_in(machine):
    """The generation from which servers are started; None for the active one."""
    told = machine.output(f"cat {RECORD} 2> /dev/null || echo null")
    return (json.loads(told) or {}).get("generation")


def pupil(shared, teacher, name):
    teacher.add_user(name)
    return HubClient(shared.url, name).login(PASSWORD)


def start_and_compute(student, title):
    """Start a server, and run code in a kernel of it; returns where the kernel's Python is."""
    began = time.monotonic()
    student.start_server()
    print(f"{title}: a server in {time.monotonic() - began:.1f} s")
    kernel = student.start_kernel()
    assert kernel.run("import lesson; print(lesson.VERSION, 6 * 7)") == "1.0 42\n"
    return kernel.run("import sys; print(sys.prefix)").strip()


def break_with_pip(shared):
    """A package of the same name as one that every server needs, and all its files gone."""
    wheel = make_wheel(shared.root / "srv", "traitlets", "99.0")
    shared.run(f"/opt/tljh/user/bin/pip -q install --root-user-action=ignore --no-deps --no-index /srv/{wheel.name}")


def break_with_rm(shared):
    shared.run("rm /opt/tljh/user/bin/python")


@pytest.fixture(scope="module")
def lesson(shared):
    """An environment with a package that the teacher installed; the copy of it is there."""
    wheel = make_wheel(shared.root / "srv", "lesson", "1.0")
    (shared.root / "srv/requirements.txt").write_text(f"/srv/{wheel.name}\n")
    shared.run("tljh-user-env apply --yes -f /srv/requirements.txt", timeout=600)
    wait_until_settled(shared)


@pytest.mark.parametrize("spoil", [break_with_pip, break_with_rm])
def test_servers_start_from_the_last_good_state_until_it_is_repaired(shared, teacher, lesson, spoil):
    title = spoil.__name__.replace("_", "-")
    before = active(shared)
    spoil(shared)
    first = pupil(shared, teacher, f"{title}-1")
    prefix = start_and_compute(first, f"{title}: the first")
    number = standing_in(shared)
    assert prefix == f"/opt/tljh/generations/{number}" and number != before and active(shared) == before
    second = pupil(shared, teacher, f"{title}-2")
    assert start_and_compute(second, f"{title}: the second") == prefix

    # Who looks after the server learns of it.
    told = shared.journal("-u", "jupyterhub")
    said = [line for line in told.splitlines()
            if f"(generation {before})" in line and "sudo tljh-user-env repair" in line]
    assert len(said) == 1, told
    checked = shared.run("tljh-user-env check", user="nobody", check=False)
    assert checked.returncode == 1 and f"servers are started from generation {number}" in checked.stdout
    notice = re.search(r'id="tljh-environment".*?</div>', teacher.request("GET", "/hub/admin").text, re.S)
    assert f"generation {number} instead of {before}" in notice[0] and "sudo tljh-user-env repair" in notice[0]

    # Terminals too.
    shell = f"env -i HOME=/home/jupyter-{second.name} JUPYTERHUB_USER=x TLJH_GENERATION={prefix} bash -lc"
    where = shared.output(f"{shell} 'jupyter server --version && command -v python'", user=f"jupyter-{second.name}")
    assert where.split()[-1] == f"{prefix}/bin/python"

    mended = shared.run("tljh-user-env repair", timeout=600)
    assert f"generation {number} is active" in mended.stderr
    assert (active(shared), standing_in(shared)) == (number, None)
    assert "tljh-environment" not in teacher.request("GET", "/hub/admin").text
    assert shared.run("tljh-user-env check", user="nobody").returncode == 0
    third = pupil(shared, teacher, f"{title}-3")
    start_and_compute(third, f"{title}: after the repair")
    assert third.start_kernel().run("import sys; print(sys.executable)") == "/opt/tljh/user/bin/python\n"
    for client in (first, second, third):
        client.stop_server()


def test_people_see_jupyterlab_and_the_admin_a_notice(shared, teacher, lesson):
    break_with_rm(shared)
    teacher.add_user("reader")
    teacher.add_user("head", admin=True)
    with Browser("healing") as browser:
        lab.log_in(browser, shared.url, "reader", PASSWORD)
        lab.wait_for_lab(browser, 150)
        browser.screenshot("launcher")
    with Browser("healing-admin") as browser:
        lab.log_in(browser, shared.url, "head", PASSWORD)
        browser.open(shared.url + "hub/admin")
        browser.find("#tljh-environment", "sudo tljh-user-env repair")
        browser.screenshot("admin")


def test_a_sentence_tells_people_while_their_server_starts(shared, teacher, lesson):
    """On the page that waits for it, which reads these events; the environment is still the broken one."""
    student = pupil(shared, teacher, "listener")
    starting = threading.Thread(target=student.api, args=("POST", student.server_path(), {}))
    starting.start()
    wait_for(lambda: student.server() and student.server()["pending"] == "spawn", 60, "the start begins", 0.1)
    told = student.request("GET", f"/hub/api/{student.server_path()}/progress", timeout=150)
    starting.join()
    assert "the last one that worked" in told.text, told.text
    shared.run("tljh-user-env repair", timeout=600)


def test_a_users_own_packages_are_not_blamed_on_the_environment(shared, teacher, lesson):
    before = active(shared)
    student = pupil(shared, teacher, "own")
    student.start_server()
    student.stop_server()
    home = "/home/jupyter-own"
    python = shared.output("ls /opt/tljh/user/lib").strip()
    folder = f"{home}/.local/lib/{python}"
    shared.run(f"mkdir -p {folder}/site-packages && echo 'raise SystemExit(1)' > {folder}/site-packages/usercustomize.py",
               user="jupyter-own")
    shared.run(["mkdir", "-p", f"{home}/.local/lib/python3.1;reboot/site-packages/x"], user="jupyter-own")
    told = student.refusal()
    assert f"sudo mv {folder} {folder}.aside" in told and "reboot" not in told
    assert (active(shared), standing_in(shared)) == (before, None)
    shared.run(f"mv {folder} {folder}.aside")
    student.start_server()


def test_a_class_that_comes_at_once_shares_what_stands_in(shared, teacher, lesson):
    before = active(shared)
    break_with_rm(shared)
    students = [pupil(shared, teacher, f"class{number}") for number in range(6)]
    for student in students:
        student.api("POST", student.server_path(), {})
    wait_for(lambda: all(student.server_ready() for student in students), 240, "the servers of a class", 1)
    number = standing_in(shared)
    assert number and active(shared) == before
    records = shared.output("ls /opt/tljh/generations").split()
    assert str(number + 1) not in records
    shared.run("tljh-user-env repair", timeout=600)
