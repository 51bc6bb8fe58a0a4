"""Label selectors as kubectl takes them: `app=pi,tier!=test,owner,!frozen,env in (a, b)`."""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_PARTS = re.compile(r",(?![^(]*\))")
_EQUAL = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*({_VALUE})$")
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)$")
_HAS = re.compile(rf"^(!?)\s*({_KEY})$")

Labels = Mapping[str, str]


class Selector(Struct, frozen=True):
    """Requirements that labels must meet, all of them; none is met by all labels."""

    requirements: tuple[Callable[[Labels], bool], ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Say whether `labels` meet every requirement."""
        return all(met(labels) for met in self.requirements)


def parsed(text: str) -> Selector:
    """Return the selector that `text` spells; "" selects all.

    Raises:
        ValueError: A part of the text is no requirement; the message names it.

    """
    parts = [part.strip() for part in _PARTS.split(text)] if text.strip() else []
    return Selector(tuple(_requirement(part) for part in parts))


def _requirement(part: str) -> Callable[[Labels], bool]:
    """Return the test that one part spells. As in Kubernetes, what must differ may be absent."""
    if match := _EQUAL.match(part):
        key, sign, value = match.groups()
        if sign == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _SET.match(part):
        key, word, values = match[1], match[2], frozenset(re.split(r"\s*,\s*", match[3]))
        if word == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _HAS.match(part):
        absent, key = bool(match[1]), match[2]
        return lambda labels: (key in labels) is not absent
    raise ValueError(f"“{part}” is no requirement for labels, such as app=pi or env in (a, b)")
