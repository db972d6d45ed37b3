"""No configuration takes the hub down for good: refused, rolled back, or not used."""

import json
import re

import pytest

from tests.machines.install import http_status, wait_for_login_page
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

CONFIG = "/etc/tljh/config.yaml"
SNIPPET = "/etc/tljh/jupyterhub_config.d/test.py"
# Python accepts it; JupyterHub ends when it opens the file.
DEADLY = "set auth.JupyterHub.extra_log_file /proc/nothing/hub.log"


@pytest.fixture
def hub(shared):
    """The shared machine with a configuration that works; put back afterwards."""
    saved = shared.output(f"cat {CONFIG}") + "\n"
    wait_until_hub_answers(shared)
    yield shared
    shared.run(f"rm -f {SNIPPET} {CONFIG}.failed {CONFIG}.before-rollback")
    if text(shared) + "\n" != saved or running(shared)["fallback"]:
        shared.write(CONFIG, saved, 0o600)
        shared.run("tljh-config reload")
    wait_for_login_page(shared)


def wait_until_hub_answers(machine):
    wait_for(lambda: http_status(machine.url + "hub/api") == 200, 60, "the hub answers")


def text(machine):
    return machine.output(f"cat {CONFIG}")


def running(machine):
    return json.loads(machine.output("cat /run/tljh/running.json"))


def main_process(machine):
    return machine.output("systemctl show -P MainPID jupyterhub")


def kill_during(machine, command, moment):
    """Kill a command `moment` seconds after its start, if it runs so long."""
    machine.run(f"timeout --signal=KILL {moment} {command}", check=False)


def refused(machine, command="tljh-config reload"):
    done = machine.run(command, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_class_that_does_not_exist_is_refused_and_the_hub_runs_on(hub):
    process = main_process(hub)
    hub.run("tljh-config set auth.type no.such.Authenticator")
    assert "`auth.type` names no class that Python can import" in refused(hub)
    assert main_process(hub) == process
    assert http_status(hub.url + "hub/login") == 200


def test_check_deep_shows_what_python_says_at_its_place(hub):
    hub.run("tljh-config set auth.type no.such.Authenticator")
    assert hub.run("tljh-config check", check=False).returncode == 0
    checked = hub.run("tljh-config check --deep", check=False)
    assert checked.returncode == 1
    assert "`auth.type` names no class that Python can import" in checked.stdout
    assert re.search(rf"--> {CONFIG}:\d+:\d+", checked.stdout)
    hub.run("tljh-config unset auth.type")
    assert hub.output("tljh-config check --deep") == f"`{CONFIG}` is valid"


def test_a_wrong_value_of_a_trait_is_refused_without_showing_it(hub):
    process = main_process(hub)
    hub.run("tljh-config set auth.FirstUseAuthenticator.min_password_length hunter2")
    told = refused(hub)
    assert "`auth.FirstUseAuthenticator.min_password_length` is text" in told and "hunter2" not in told
    hub.run("tljh-config unset auth.FirstUseAuthenticator.min_password_length")
    hub.run("tljh-config set auth.FirstUseAuthenticator.create_user true")
    assert "did you mean `create_users`?" in refused(hub)
    assert main_process(hub) == process


def test_a_snippet_that_is_no_python_is_refused_with_its_line(hub):
    process = main_process(hub)
    hub.write(SNIPPET, "a = 1\nc.Spawner.cpu_limit = (\n")
    assert f"snippet `{SNIPPET}`: line 2" in refused(hub)
    hub.write(SNIPPET, "\n\nc.Spawner.cpu_limit = undefined\n")
    assert f"snippet `{SNIPPET}`: line 3 fails: NameError" in refused(hub)
    assert main_process(hub) == process


def test_a_configuration_that_does_not_start_is_rolled_back_with_the_reason(hub):
    before = text(hub)
    hub.run("tljh-config reload")
    hub.run(f"tljh-config {DEADLY}")
    told = refused(hub)
    assert re.search(r"configuration \d+, the last one that worked, is back in its place", told), told
    assert "/proc/nothing/hub.log" in told, told
    assert text(hub) == before
    assert "extra_log_file" in hub.output(f"cat {CONFIG}.failed")
    assert hub.output(f"stat -c %a {CONFIG} {CONFIG}.failed").split() == ["600", "600"]
    wait_until_hub_answers(hub)


def test_without_rollback_the_file_stays_and_the_hub_answers_all_the_same(hub):
    hub.run("tljh-config reload")
    hub.run(f"tljh-config {DEADLY}")
    refused(hub, "tljh-config reload --no-rollback")
    assert "extra_log_file" in text(hub)
    wait_until_hub_answers(hub)
    told = hub.output("journalctl -u jupyterhub -n 300 -o cat")
    assert "starting with configuration" in told and "ended 2 times before it answered" in told


def test_a_port_that_is_taken_is_rolled_back(hub):
    hub.run("tljh-config reload proxy")
    with hub.start("exec python3 -m http.server 8123") as taken:
        wait_for(lambda: http_status(f"http://{hub.address}:8123/") == 200, 20, "the other server")
        hub.run("tljh-config set http.port 8123")
        told = refused(hub, "tljh-config reload proxy --timeout 10")
        taken.terminate()
    assert "8123" in told and "is back in its place" in told, told
    wait_for_login_page(hub)


def test_a_file_broken_by_hand_does_not_stop_the_hub(hub, teacher):
    hub.run("tljh-config reload")
    hub.write(CONFIG, "users:\n  admin: [admin\n", 0o600)
    hub.run("systemctl restart jupyterhub")
    wait_until_hub_answers(hub)
    journal = hub.output("journalctl -u jupyterhub -n 100 -o cat")
    assert "`/etc/tljh/config.yaml` is not used" in journal
    page = teacher.request("GET", "/hub/admin").text
    assert "/etc/tljh/config.yaml is not in use" in page
    assert "is not valid YAML" in page
    checked = hub.run("tljh-config check --deep", check=False)
    assert checked.returncode == 1
    assert f"--> {CONFIG}:" in checked.stdout and "since it could not use the file" in checked.stderr


def test_the_notice_goes_when_the_file_is_right_again(hub, teacher):
    saved = text(hub)
    hub.write(CONFIG, "users: [", 0o600)
    hub.run("systemctl restart jupyterhub")
    hub.write(CONFIG, saved + "\n", 0o600)
    hub.run("tljh-config reload")
    assert "is not in use" not in teacher.request("GET", "/hub/admin").text


@pytest.mark.parametrize("moment", [0.2, 1.0, 2.5, 4.0, 6.0])
def test_a_reload_that_is_killed_leaves_a_hub_that_answers(hub, moment):
    hub.run("tljh-config reload")
    before = text(hub)
    hub.run(f"tljh-config {DEADLY}")
    broken = text(hub)
    kill_during(hub, "tljh-config reload", moment)
    assert text(hub) in (before, broken)
    wait_until_hub_answers(hub)


@pytest.mark.parametrize("moment", [0.1, 1.5, 3.0])
def test_a_rollback_that_is_killed_leaves_a_hub_that_answers(hub, moment):
    hub.run("tljh-config set limits.cpu 2 && tljh-config reload")
    now = text(hub)
    hub.run("tljh-config set limits.cpu 3 && tljh-config reload")
    later = text(hub)
    kill_during(hub, "tljh-config rollback", moment)
    assert text(hub) in (now, later)
    wait_until_hub_answers(hub)


def test_a_change_that_is_killed_leaves_a_whole_file(hub):
    seen = set()
    for cores in range(1, 41):
        kill_during(hub, f"tljh-config set limits.cpu {cores}", cores / 4000)
        seen.add(re.search(r"cpu: (\d+)", text(hub))[1] if "cpu:" in text(hub) else None)
        hub.run("tljh-config check")
    assert len(seen) > 1, "some were killed before they wrote, others after"
    hub.run("tljh-config set limits.cpu 1.5")
    left = hub.output("ls -A /etc/tljh").split()
    assert not [name for name in left if name.startswith(".")], left


def test_what_worked_is_listed_and_can_come_back(hub):
    hub.run("tljh-config set limits.cpu 2 && tljh-config reload")
    hub.run("tljh-config set limits.cpu 3 && tljh-config reload")
    newest, earlier, *_ = [json.loads(line) for line in hub.output("tljh-config history --json").splitlines()]
    assert newest["in_file"] and newest["changed"] == ["limits.cpu"]
    hub.run("tljh-config rollback")
    assert "cpu: 2" in text(hub)
    hub.run(f"tljh-config rollback {newest['number']}")
    assert "cpu: 3" in text(hub)
    assert hub.output("stat -c %a /var/lib/tljh/config-history") == "700"
    assert "there is no configuration 99999" in refused(hub, "tljh-config rollback 99999")
    assert earlier["number"] < newest["number"]


def test_user_servers_run_on_through_a_rollback(hub, teacher):
    teacher.start_server()
    kernel = teacher.start_kernel()
    kernel.run("kept = 42")
    hub.run(f"tljh-config {DEADLY}")
    refused(hub)
    wait_until_hub_answers(hub)
    assert kernel.run("print(kept)") == "42\n"
    teacher.stop_server()
