"""Why a job is not running, as text: facts from `core.explain`, the likeliest cause first."""

from collections.abc import Sequence
from typing import Any

from mpijob.core.explain import Fact, Weight

_MARKS = {
    Weight.CAUSE: ("cause", "\x1b[31m"),
    Weight.HINDRANCE: ("hindrance", "\x1b[33m"),
    Weight.WAIT: ("waiting", "\x1b[36m"),
    Weight.NEWS: ("", ""),
}
_RESET = "\x1b[0m"


def short(fact: Fact) -> str:
    """Return a fact as one line, without its advice."""
    return " ".join(f"{fact.subject} {fact.what}".split())


def paragraphs(facts: Sequence[Fact], *, colour: bool = False) -> str:
    """Return each fact with its advice below it, as a person reads them."""
    return "".join(_paragraph(fact, colour=colour) for fact in facts)


def as_json(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """Return the facts as JSON, in their order."""
    return [
        {
            "weight": fact.weight.name.lower(),
            "subject": fact.subject,
            "what": fact.what,
            "advice": fact.advice,
        }
        for fact in facts
    ]


def _paragraph(fact: Fact, *, colour: bool) -> str:
    word, code = _MARKS[fact.weight]
    mark = f"{word}: " if word else ""
    if colour and word:
        mark = f"{code}{mark}{_RESET}"
    first, *rest = fact.what.strip().splitlines() or [""]
    lines = [f"{mark}{fact.subject} {first}", *(f"    {line}" for line in rest)]
    if fact.advice:
        lines.append(f"  → {fact.advice}")
    return "\n".join(lines) + "\n"
