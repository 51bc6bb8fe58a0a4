"""Complaints about a job file, as compilers print them: place, how bad, field, what, and a hint."""

from collections.abc import Iterable

from mpijob.core.finding import Severity
from mpijob.jobfile import Complaint

_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.ADVICE: "\x1b[36m"}
_RESET = "\x1b[0m"


def lines(complaints: Iterable[Complaint], *, colour: bool = False) -> str:
    """Return a line for each complaint, and an indented one below it for its hint."""
    return "".join(_paragraph(complaint, colour=colour) for complaint in complaints)


def as_json(complaints: Iterable[Complaint]) -> list[dict[str, str | int | None]]:
    """Return the complaints as JSON, in their order."""
    return [
        {
            "file": one.file,
            "line": one.position.line if one.position else None,
            "column": one.position.column if one.position else None,
            "severity": one.finding.severity.value,
            "field": one.finding.field,
            "message": one.finding.message,
            "hint": one.finding.hint,
        }
        for one in complaints
    ]


def _paragraph(complaint: Complaint, *, colour: bool) -> str:
    finding = complaint.finding
    word = finding.severity.value
    said = f"{_COLOURS[finding.severity]}{word}{_RESET}" if colour else word
    field = f"{finding.field}: " if finding.field else ""
    message = " ".join(finding.message.split())
    hint = f"    hint: {finding.hint}\n" if finding.hint else ""
    return f"{complaint.place}: {said}: {field}{message}\n{hint}"
