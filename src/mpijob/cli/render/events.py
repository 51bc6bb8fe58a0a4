"""Events as rows: when, how bad, why, about what, and in which words."""

from datetime import datetime

from mpijob.api.events import EventView
from mpijob.cli.render.age import age

COLUMNS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


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
