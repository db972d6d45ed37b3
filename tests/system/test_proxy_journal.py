"""The journal tells who caused what, and Prometheus is told how often."""

import json

import pytest

from tests.machines.places import wait_for

ON_ANY_RELEASE = True

API = ("curl -sS --fail-with-body -H \"Authorization: token $(cat /var/lib/tljh/proxy-api-token)\" "
       "http://127.0.0.1:15002/api/routes")


def entries(machine, *matches):
    machine.run("journalctl --sync")
    lines = machine.output(f"journalctl --unit=tljh-proxy --output=json {' '.join(matches)}").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def dead(shared):
    """A route to a port on which nobody listens."""
    shared.run(f"{API}/dead --data '{{\"target\": \"http://127.0.0.1:9\"}}'")
    yield "/dead"
    shared.run(f"{API}/dead --request DELETE")


def ask(machine, target):
    return machine.output(f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Cookie: s3cret' http://127.0.0.1{target}")


def fail_once(machine):
    """The entry of one request to the dead port."""
    matches = ("TLJH_CAUSE=upstream", "TLJH_ROUTE=/dead")
    before = len(entries(machine, *matches))
    assert ask(machine, "/dead/x?token=s3cret") == "503"
    [entry] = wait_for(lambda: entries(machine, *matches)[before:], 30, "the failure is in the journal")
    return entry


def test_a_failure_names_its_cause_its_route_and_its_upstream(shared, dead):
    entry = fail_once(shared)
    expected = {
        "PRIORITY": "4", "SYSLOG_IDENTIFIER": "tljh-proxy", "_TRANSPORT": "journal",
        "_SYSTEMD_UNIT": "tljh-proxy.service", "TLJH_REASON": "connect", "TLJH_UPSTREAM": "127.0.0.1:9",
        "TLJH_STATUS": "503",
    }
    assert {name: entry.get(name) for name in expected} == expected
    assert "s3cret" not in json.dumps(entries(shared))


def test_a_process_that_took_over_does_likewise(shared, dead):
    shared.run("systemctl reload tljh-proxy")
    entry = fail_once(shared)
    assert entry["_PID"] == shared.output("systemctl show --property=MainPID --value tljh-proxy")
    assert entry["_SYSTEMD_UNIT"] == "tljh-proxy.service"


def test_requests_that_nobody_can_read_are_counted_and_do_not_fill_the_journal(shared):
    before = len(entries(shared))
    for _ in range(20):
        assert ask(shared, "/'<'") == "400"
    assert entries(shared, "TLJH_CAUSE=client") == []
    assert len(entries(shared)) < before + 20
    text = shared.output("curl -sf http://127.0.0.1:15002/metrics")
    [line] = [line for line in text.splitlines() if 'reason="malformed"' in line]
    assert int(line.split()[-1]) >= 20


def test_figures_are_shown_under_the_hardening_of_the_unit(shared):
    text = shared.output("curl -sf http://127.0.0.1:15002/metrics")
    for name in ("process_open_fds", "process_resident_memory_bytes", "tljh_proxy_routes"):
        assert f"\n{name} " in text, text
