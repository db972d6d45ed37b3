"""Those who apply a configuration at the same time take turns."""

import json
import subprocess

import pytest

from tests.machines.install import http_status, wait_for_login_page
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

CONFIG = "/etc/tljh/config.yaml"
DEADLY = "set auth.JupyterHub.extra_log_file /proc/nothing/hub.log"
WAITING = "is applying a configuration; waiting until it is done"


@pytest.fixture
def hub(shared):
    """The shared machine with a configuration that works; put back afterwards."""
    saved = shared.output(f"cat {CONFIG}") + "\n"
    yield shared
    shared.write(CONFIG, saved, 0o600)
    shared.run(f"rm -f {CONFIG}.failed && systemctl restart jupyterhub")
    wait_for_login_page(shared)


def begin(machine, command):
    return machine.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_locked(machine):
    machine.wait_for("! flock --nonblock /var/lib/tljh/reload.lock true")


def starts(machine):
    return machine.output("journalctl -u jupyterhub -o cat").count("Started jupyterhub.service")


def newest(machine):
    return json.loads(machine.output("tljh-config history --json").splitlines()[0])


def test_two_reloads_at_once_start_the_hub_once(hub):
    hub.run("tljh-config set limits.cpu 2")
    before = starts(hub)
    both = [begin(hub, "tljh-config reload") for _ in range(2)]
    told = [reload.communicate(timeout=120)[1] for reload in both]
    assert [reload.returncode for reload in both] == [0, 0], told
    assert sum(WAITING in text for text in told) == 1, told
    assert sum("was restarted with this configuration meanwhile" in text for text in told) == 1, told
    assert starts(hub) == before + 1
    assert http_status(hub.url + "hub/api") == 200


def test_a_reload_waits_for_the_rollback_of_the_one_before(hub):
    before = hub.output(f"cat {CONFIG}")
    hub.run(f"tljh-config {DEADLY}")
    first = begin(hub, "tljh-config reload")
    wait_until_locked(hub)
    second = hub.run("tljh-config reload")
    assert WAITING in second.stderr
    assert first.wait(10) == 1 and "is back in its place" in first.communicate()[1]
    assert hub.output(f"cat {CONFIG}") == before
    assert http_status(hub.url + "hub/api") == 200


def test_a_change_during_a_reload_that_fails_is_kept_beside_the_file(hub):
    hub.run(f"tljh-config {DEADLY}")
    first = begin(hub, "tljh-config reload")
    wait_until_locked(hub)
    hub.run("tljh-config set limits.cpu 3.5")
    assert first.wait(120) == 1
    assert "cpu: 3.5" in hub.output(f"cat {CONFIG}.failed")
    assert "cpu: 3.5" not in hub.output(f"cat {CONFIG}")


def test_a_rollback_waits_for_a_reload(hub):
    hub.run("tljh-config set limits.cpu 2")
    first = begin(hub, "tljh-config reload")
    wait_until_locked(hub)
    second = hub.run("tljh-config rollback")
    assert first.wait(10) == 0 and WAITING in second.stderr
    assert "limits" not in hub.output(f"cat {CONFIG}")
    assert newest(hub)["in_file"]


def test_a_killed_reload_lets_the_next_one_go_on(hub):
    first = begin(hub, "exec tljh-config reload")
    wait_until_locked(hub)
    second = begin(hub, "tljh-config reload")
    hub.run("pkill --oldest --signal KILL -x tljh-config")
    assert second.wait(120) == 0 and first.wait(10) != 0
    wait_for(lambda: http_status(hub.url + "hub/api") == 200, 60, "the hub answers")
