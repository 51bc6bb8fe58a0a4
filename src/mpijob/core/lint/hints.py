"""How to mend a problem, where its words alone do not say it: a likely word, quotes, an example."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from mpijob.core.job import Problem
from mpijob.core.validate import UNSUPPORTED

_QUOTED = re.compile(r'"([^"]*)"')
#: Longer words are no misspelling of any of ours, and comparing them takes long.
_WORD_MAX = 100

_TYPES = {
    ("string", "integer"): 'Numbers must be in quotes here: "2", not 2.',
    ("string", "number"): 'Numbers must be in quotes here: "0.5", not 0.5.',
    ("string", "boolean"): "Put it in quotes: YAML takes yes, no, on, off and y for booleans.",
    ("string", "null"): 'Write "" where an empty text is meant.',
    ("integer", "string"): "Write the number without quotes.",
    ("boolean", "string"): "Write true or false, without quotes.",
    ("integer or string", "number"): 'Put it in quotes, as in "0.5", or write 500m.',
    ("array", "string"): "Write a list: each item on a line of its own after “- ”, or in [ ].",
    ("array", "object"): "Write a list: begin each item with “- ”.",
    ("object", "array"): "Write fields, not a list: leave out the “- ”.",
}


def hint(problem: Problem) -> str:
    """Return how to mend a problem, "" where its own words say it all."""
    quoted = _QUOTED.findall(problem.detail)
    if problem.kind == UNSUPPORTED:
        return did_you_mean((problem.value or "").strip('"'), quoted)
    wanted, found, _ = problem.detail.partition(': "')
    if found and wanted.startswith("must be of type "):
        return _TYPES.get((wanted.removeprefix("must be of type "), quoted[-1]), "")
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean "…"?` with the known word that is most like `word`; "" for none."""
    close = closest(word, known)
    return f'Did you mean "{close}"?' if close else ""


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` most likely stands for, whatever its case; "" for none."""
    if not 0 < len(word) <= _WORD_MAX:
        return ""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.75)
    return by_lower[matches[0]] if matches else ""
