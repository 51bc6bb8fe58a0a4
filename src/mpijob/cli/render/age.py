"""Durations and moments for people, spelled as kubectl spells them."""

from datetime import datetime

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY

#: Below how many seconds a duration is told in which unit, and in which smaller one besides.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def duration(seconds: float) -> str:
    """Return a duration in few letters: `95s`, `7m5s`, `3h`, `2d4h`. Below zero it is `0s`.

    Source: `duration.HumanDuration`, k8s.io/apimachinery v0.35.
    """
    total = max(int(seconds), 0)
    for bound, unit, name, smaller, smaller_name in _STEPS:
        if total < bound:
            rest = total % unit // smaller if smaller else 0
            return f"{total // unit}{name}" + (f"{rest}{smaller_name}" if rest else "")
    return f"{total // _YEAR}y"


def age(then: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, or `<unknown>` where none is given."""
    return duration((now - then).total_seconds()) if then else "<unknown>"


def between(start: datetime | None, end: datetime | None, now: datetime) -> str:
    """Return how long something took, or has taken until now; "" where it never started."""
    return duration(((end or now) - start).total_seconds()) if start else ""


def moment(at: datetime | None) -> str:
    """Return a moment as a person reads it, in UTC to the second; "" where there is none."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
