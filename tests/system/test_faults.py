"""Every maintainer script, in every way that dpkg calls it, killed at its steps and with a full disk: repaired by two commands.

All of it takes hours: `make test` tries `MOST` faults of each life, always the same, and `tests/run.py faults` each one.
"""

import os

import pytest

from tests.machines.faults import faults_of
from tests.machines.lives import LIVES, ensure_workshop

ON_ANY_RELEASE = True

MOST = None if os.environ.get("FAULTS") == "every" else 2


@pytest.fixture(scope="module")
def lives(suite, repository):
    return ensure_workshop(suite, repository)


@pytest.mark.parametrize("name", ["upgrade", "purge"])
def test_a_full_disk_when_debconf_writes_what_it_knows_says_how_to_go_on(lives, name):
    life = next(life for life in LIVES if life.name == name)
    traced, before, after = lives.record(life)
    faults = [fault for fault in faults_of(life, traced.steps) if fault.kind == "full" and fault.step[1] == "perl"
              and fault.step[3] == "/var/cache/debconf/config.dat-new"]
    assert len(faults) == 2
    for fault in faults:
        assert lives.attempt(fault, before, after)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name.replace(" ", "-").replace(",", ""))
def test_a_fault_at_any_step_is_recovered_from(lives, life, record_property):
    tally = lives.attempt_all(life, MOST)
    record_property("faults", (tally.tried, tally.tried - len(tally.failed)))
    assert tally.failed == [], "\n\n".join(f"{fault}\n{error}" for fault, error in tally.failed)
    # A step that the undisturbed life has and the next one has not, is none that a test can speak of.
    assert len(tally.not_reached) <= tally.tried // 20, "\n".join(map(str, tally.not_reached))
