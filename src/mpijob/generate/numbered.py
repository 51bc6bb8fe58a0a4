"""Objects that are numbered, as workers are: which of those that are there count on from others."""

from collections.abc import Iterator, Sequence

from mpijob.api.manifest import key_of, labels_of
from mpijob.core.job import Manifest

#: An object's kind and namespace, its name less the number, and its labels.
_Row = tuple[str, str, str, frozenset[tuple[str, str]]]


def surplus(there: Sequence[Manifest], made: Sequence[Manifest]) -> Iterator[Manifest]:
    """Yield those that are there and go on counting where those that are made end.

    They were made when more were asked for. Only an object with the very labels of those that are
    made is one of theirs: `x-worker-7` of somebody else is not.
    """
    last: dict[_Row, int] = {}
    for row, number in filter(None, map(_numbered, made)):
        last[row] = max(number, last.get(row, 0))
    for manifest in there:
        found = _numbered(manifest)
        if found and found[0] in last and found[1] > last[found[0]]:
            yield manifest


def _numbered(manifest: Manifest) -> tuple[_Row, int] | None:
    namespace, name = key_of(manifest)
    stem, _, number = name.rpartition("-")
    labels = labels_of(manifest)
    if not labels or not number.isdecimal() or number != str(int(number)):
        return None
    return (manifest.get("kind", ""), namespace, stem, frozenset(labels.items())), int(number)
