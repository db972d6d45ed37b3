"""A snippet broken by hand neither stops the hub nor opens it."""

import json

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import http_status, wait_for_login_page
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

FOLDER = "/etc/tljh/jupyterhub_config.d"
SNIPPET = f"{FOLDER}/test.py"
# Python accepts it; JupyterHub ends when it opens the file.
DEADLY = "c.JupyterHub.extra_log_file = '/proc/nothing/hub.log'\n"
GOOD = "c.Spawner.cpu_limit = 1.0\n"


@pytest.fixture
def hub(shared, teacher):
    """The shared machine with a configuration that works; put back afterwards."""
    saved = shared.output("cat /etc/tljh/config.yaml") + "\n"
    yield shared
    shared.write("/etc/tljh/config.yaml", saved, 0o600)
    shared.run(f"rm -f {FOLDER}/* && systemctl restart jupyterhub")
    wait_for_login_page(shared)


def apply(machine, snippet):
    machine.write(SNIPPET, snippet, 0o600)
    machine.run("tljh-config reload")


def restart(machine):
    machine.run("systemctl restart jupyterhub")
    wait_for(lambda: http_status(machine.url + "hub/api") == 200, 60, "the hub answers")
    return json.loads(machine.output("cat /run/tljh/running.json"))["fallback"]


def test_the_hub_starts_with_the_snippet_that_worked_and_says_so(hub, teacher):
    apply(hub, GOOD)
    hub.write(SNIPPET, "\nc.Spawner.cpu_limit = undefined\n", 0o600)
    told = "line 2 fails: NameError: name 'undefined' is not defined"
    assert restart(hub)["file"] == SNIPPET
    assert f"`{SNIPPET}` is not used: {told}" in hub.output("journalctl -u jupyterhub -n 60 -o cat")
    assert f"{SNIPPET} is not in use" in teacher.request("GET", "/hub/admin").text
    assert hub.output("cat /run/tljh/jupyterhub_config.d/test.py") == GOOD.strip()
    checked = hub.run("tljh-config check --deep", check=False)
    assert checked.returncode == 1 and f"snippet `{SNIPPET}`: {told}" in checked.stdout
    assert SNIPPET in hub.run("tljh-config check").stderr
    refused = hub.run("tljh-config reload", check=False)
    assert refused.returncode == 1 and told in refused.stderr
    apply(hub, GOOD)
    assert "is not in use" not in teacher.request("GET", "/hub/admin").text


def test_no_way_to_break_a_snippet_stops_the_hub(hub):
    apply(hub, GOOD)
    for broken, told in (
        ("a = 1\nc.Spawner.cpu_limit = (\n", "line 2: '(' was never closed"),
        ("import no_such_module\n", "line 1 fails: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit('no')\n", "line 2 fails: SystemExit: no"),
    ):
        hub.write(SNIPPET, broken, 0o600)
        fallback = restart(hub)
        assert (fallback["file"], fallback["reason"]) == (SNIPPET, told)


def test_what_a_snippet_forbids_stays_forbidden_when_it_is_broken(hub):
    hub.run("tljh-config set auth.type dummy && tljh-config set auth.DummyAuthenticator.password everybody")
    hub.run("tljh-config add-item users.allowed zoe eve")
    apply(hub, "c.Authenticator.blocked_users = {'eve'}\n")
    # Neither what it set before it fails counts, nor a configuration that was never applied with it.
    hub.write(SNIPPET, "c.Authenticator.allow_all = True\nc.Authenticator.blocked_users = {'eve'\n", 0o600)
    hub.run("tljh-config add-item users.allowed mallory")
    assert restart(hub)["file"] == SNIPPET
    HubClient(hub.url, "zoe").login("everybody")
    for name in ("eve", "mallory", "anybody"):
        assert "/hub/home" not in HubClient(hub.url, name).post_login("everybody").url, name


def test_a_snippet_that_never_worked_is_not_used_and_the_others_are(hub):
    apply(hub, GOOD)
    hub.write(f"{FOLDER}/new.py", "c.Spawner.mem_limit = (\n", 0o600)
    assert restart(hub)["file"] == f"{FOLDER}/new.py"
    assert hub.output("ls /run/tljh/jupyterhub_config.d") == "test.py"


def test_a_snippet_with_which_the_hub_ends_is_given_up(hub):
    apply(hub, GOOD)
    hub.write(SNIPPET, DEADLY, 0o600)
    hub.run("systemctl restart jupyterhub", check=False)
    wait_for(lambda: http_status(hub.url + "hub/api") == 200, 60, "the hub answers")
    assert f"`{FOLDER}` is not used: JupyterHub ended 2 times" in hub.output("journalctl -u jupyterhub -n 200 -o cat")


def test_where_nothing_worked_before_the_hub_waits_for_the_snippet_to_be_mended(hub):
    hub.write(SNIPPET, "c.Authenticator.blocked_users = {'eve'\n", 0o600)
    hub.run("systemctl stop jupyterhub; rm -r /var/lib/tljh/config-history; systemctl start jupyterhub", check=False)
    told = f"the hub does not start without the snippet `{SNIPPET}`"
    wait_for(lambda: told in hub.output("journalctl -u jupyterhub -n 60 -o cat"), 60, "the hub's refusal")
    assert http_status(hub.url + "hub/login") != 200
    hub.write(SNIPPET, "c.Authenticator.blocked_users = {'eve'}\n", 0o600)
    wait_for(lambda: http_status(hub.url + "hub/api") == 200, 60, "the hub answers")
    # What changed while the hub was starting is kept at the next start.
    assert restart(hub) is None
    assert "eve" in hub.output("cat /var/lib/tljh/config-history/snippets.json")


def test_a_machine_with_a_broken_snippet_boots_with_a_hub(hub):
    apply(hub, GOOD)
    hub.write(SNIPPET, "import no_such_module\n", 0o600)
    hub.reboot()
    wait_for_login_page(hub)
    assert hub.output("stat -c %a /var/lib/tljh/config-history/snippets.json") == "600"
