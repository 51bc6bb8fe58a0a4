"""What `doctor` found, as text: how each thing is, and what to do about what is not well."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Health(StrEnum):
    """How a thing is: well; worse than it could be; or so that jobs cannot run."""

    WELL = "ok"
    POOR = "poor"
    BROKEN = "broken"


class Check(Struct, frozen=True):
    """One thing that was looked at: its name, how it is, what was found, and what to do ("")."""

    name: str
    health: Health
    found: str
    advice: str = ""


_COLOURS = {Health.WELL: "\x1b[32m", Health.POOR: "\x1b[33m", Health.BROKEN: "\x1b[31m"}
_RESET = "\x1b[0m"


def report(checks: Sequence[Check], *, colour: bool = False) -> str:
    """Return one line a check, with its advice below it, and a last line for all of them."""
    width = max((len(check.name) for check in checks), default=0)
    lines = [line for check in checks for line in _lines(check, width, colour=colour)]
    return "\n".join([*lines, "", _verdict(checks)]) + "\n"


def as_json(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return the checks as JSON, in their order."""
    return [
        {
            "name": check.name,
            "health": check.health.value,
            "found": check.found,
            "advice": check.advice,
        }
        for check in checks
    ]


def _lines(check: Check, width: int, *, colour: bool) -> Iterable[str]:
    word = check.health.value
    shown = f"{_COLOURS[check.health]}{word}{_RESET}" if colour else word
    yield f"{shown}{' ' * (6 - len(word))}  {check.name:<{width}}  {check.found}"
    if check.advice:
        yield f"{' ' * (10 + width)}→ {check.advice}"


def _verdict(checks: Iterable[Check]) -> str:
    broken = [check.name for check in checks if check.health is Health.BROKEN]
    if broken:
        return f"Jobs cannot run here before this is mended: {', '.join(broken)}."
    return "Jobs can run here."
