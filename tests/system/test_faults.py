"""Every maintainer script, in every way that dpkg calls it, killed at its steps and with a full disk: repaired by two commands.

All of it takes hours: `make test` tries `MOST` faults of each life, always the same, and `tests/run.py faults` each one.
"""

import os

import pytest

from tests.machines.faults import faults_of
from tests.machines.lives import LIVES, ensure_workshop

ON_ANY_RELEASE = True

MOST = None if os.environ.get("FAULTS") == "every" else 2

ONCE = [
    # debconf said that there is no space, and nobody how it goes on.
    ("upgrade", "full", "perl", "/var/cache/debconf/config.dat-new"),
    ("purge", "full", "perl", "/var/cache/debconf/config.dat-new"),
    # The group of a user that was still to come was left.
    ("first installation, then purge", "all", "systemd-sysusers", "/etc/passwd"),
]


@pytest.fixture(scope="module")
def lives(suite, repository):
    return ensure_workshop(suite, repository)


@pytest.mark.parametrize("name, kind, program, path", ONCE, ids=lambda value: value.replace(" ", "-").replace(",", "").strip("/"))
def test_a_fault_that_was_not_recovered_from_once_is_now(lives, name, kind, program, path):
    life = next(life for life in LIVES if life.name == name)
    traced, before, after = lives.record(life)
    faults = [fault for fault in faults_of(life, traced.steps) if (fault.kind, fault.step[1], fault.step[3]) == (kind, program, path)]
    assert faults
    for fault in faults:
        assert lives.attempt(fault, before, after)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name.replace(" ", "-").replace(",", ""))
def test_a_fault_at_any_step_is_recovered_from(lives, life, record_property):
    tally = lives.attempt_all(life, MOST)
    record_property("faults", (tally.tried, tally.tried - len(tally.failed)))
    assert tally.failed == [], "\n\n".join(f"{fault}\n{error}" for fault, error in tally.failed)
    # A step that the undisturbed life has and the next one has not, is none that a test can speak of.
    assert len(tally.not_reached) <= tally.tried // 20, "\n".join(map(str, tally.not_reached))
