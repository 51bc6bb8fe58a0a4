"""An Event as a reader sees it."""

from datetime import UTC, datetime

import pytest

from mpijob.api.events import EventView, event, view
from mpijob.core.job import Identity, Key
from mpijob.core.plan import Announce

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PI = Identity(Key("ns", "pi"), "u1", "7")


def test_what_we_tell_is_what_is_read():
    told = event(PI, Announce("MPIJobFailed", "it broke", warning=True), NOON)
    assert view(told) == EventView(
        "ns", "MPIJob", "pi", "MPIJobFailed", "it broke", warning=True, at=NOON
    )


OTHERS = {
    "nothing but where it stands": ({}, EventView("", "", "", "", "")),
    "the newer kind of time": (
        {"eventTime": "2026-01-01T12:00:00.000000Z"},
        EventView("", "", "", "", "", at=NOON),
    ),
    "the time it was made": (
        {"metadata": {"creationTimestamp": "2026-01-01T12:00:00Z"}},
        EventView("", "", "", "", "", at=NOON),
    ),
    "told often": (
        {"count": 3, "reason": "BackOff"},
        EventView("", "", "", "BackOff", "", count=3),
    ),
}


@pytest.mark.parametrize(("manifest", "want"), OTHERS.values(), ids=OTHERS)
def test_others_tell_less(manifest, want):
    assert view(manifest) == want
