"""Events as rows: when, how bad, why, about what, and in which words."""

from collections.abc import Iterable
from datetime import UTC, datetime

from mpijob.api.events import EventView
from mpijob.cli.render.age import age

COLUMNS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def row(event: EventView, now: datetime) -> dict[str, str]:
    """Return all columns of one event."""
    often = f" (x{event.count})" if event.count > 1 else ""
    return {
        "NAMESPACE": event.namespace,
        "LAST SEEN": age(event.at, now) + often,
        "TYPE": "Warning" if event.warning else "Normal",
        "REASON": event.reason,
        "OBJECT": f"{event.kind.lower()}/{event.name}",
        "MESSAGE": event.message,
    }


def in_order(events: Iterable[EventView]) -> list[EventView]:
    """Return events from the oldest to the newest; those of one second keep their order."""
    return sorted(events, key=lambda event: event.at or _LONG_AGO)


def concerns(event: EventView, namespace: str, job: str) -> bool:
    """Say whether an event is about a job or about an object that is named after it."""
    named = event.name == job or event.name.startswith((f"{job}-launcher", f"{job}-worker-"))
    return event.namespace == namespace and named
