"""The real engine's coroutines, for a virtual hour each: late answers, lagging watches, crashes."""

import pytest
from msgspec.structs import replace

from mpijob.core.reconcile import reconcile
from mpijob.sim import hour
from mpijob.sim.audit import Broken

#: Hours that once broke a property: late answers that undid what the watch had told.
ONCE_BROKEN = (42, 45, 92, 127)


def breaks(seed):
    try:
        hour.run(seed)
    except Broken:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 30, 6))
def test_a_job_rests_in_the_right_place_within_the_hour(first):
    # An hour takes a twentieth of a second.
    assert [seed for seed in range(first, first + 6) if breaks(seed)] == []


@pytest.mark.slow
def test_what_once_broke_holds():
    assert [seed for seed in ONCE_BROKEN if breaks(seed)] == []


def test_one_seed_is_one_hour():
    first, second = hour.run(3), hour.run(3)
    assert first.store.changes(0) == second.store.changes(0)


def test_a_mistake_of_the_engine_is_told(monkeypatch):
    def wrong(*_):
        raise ValueError("a mistake")

    monkeypatch.setattr("mpijob.engine.control.reconcile", wrong)
    with pytest.raises(Broken, match="a mistake"):
        hour.run(0)


def test_a_cache_that_believes_late_answers_is_caught(monkeypatch):
    monkeypatch.setattr("mpijob.engine.cache.Cache._is_ahead", lambda *_: True)
    for room in ("api.children", "engine.cache"):
        monkeypatch.setattr(f"mpijob.{room}.order_of", lambda version: 0)
    # The first is one that shows it today; the rest look on where the draws have changed.
    assert any(map(breaks, (83, *range(400))))


def test_a_plan_that_does_not_say_that_it_leads_on_is_caught(monkeypatch):
    def silent(*world):
        return replace(reconcile(*world), again=False)

    monkeypatch.setattr("mpijob.engine.control.reconcile", silent)
    # As above.
    assert any(map(breaks, (34, *range(400))))
