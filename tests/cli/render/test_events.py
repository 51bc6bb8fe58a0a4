"""Events as rows."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.api.events import EventView, concerns, in_order
from mpijob.cli.render.events import row

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOLD = EventView("ns", "MPIJob", "pi", "MPIJobCreated", "pi is created", at=NOON)


def test_a_row():
    assert row(replace(TOLD, count=3, warning=True), NOON + timedelta(seconds=5)) == {
        "NAMESPACE": "ns",
        "LAST SEEN": "5s (x3)",
        "TYPE": "Warning",
        "REASON": "MPIJobCreated",
        "OBJECT": "mpijob/pi",
        "MESSAGE": "pi is created",
    }


def test_the_oldest_comes_first():
    later, timeless = replace(TOLD, at=NOON + timedelta(seconds=1)), replace(TOLD, at=None)
    assert in_order([later, TOLD, timeless]) == [timeless, TOLD, later]


OBJECTS = {
    "the job": ("pi", True),
    "its launcher": ("pi-launcher-x7k2p", True),
    "a worker": ("pi-worker-0", True),
    "another job that begins as it does": ("pi-2", False),
    "a worker of another job": ("pi-2-worker-0", False),
}


@pytest.mark.parametrize(("name", "want"), OBJECTS.values(), ids=OBJECTS)
def test_what_concerns_a_job(name, want):
    assert concerns(replace(TOLD, name=name), "ns", "pi") is want


def test_a_namesake_elsewhere_is_another_job():
    assert not concerns(TOLD, "other", "pi")
