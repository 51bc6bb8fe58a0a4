"""One rank's lines in what mpirun printed, where mpirun was asked to tag them."""

import re
from collections.abc import Iterable, Iterator

#: Open MPI 4 writes `[1,3]<stdout>:text`, Open MPI 5 `[prterun-host-77@1,3]<stdout>: text`, MPICH
#: and Intel MPI `[3] text`.
_TAG = re.compile(
    rb"^\[(?:[^\[\]\s]*[@,])?(?:\d+,)?(\d+)\](?:<std(?:out|err|diag)>: ?| )(.*)$", re.S
)

#: How each family of MPI is asked to tag.
HOW = "mpirun --tag-output (Open MPI), or mpirun -prepend-rank (MPICH, Intel MPI)"


def rank_of(line: bytes) -> tuple[int, bytes] | None:
    """Return the rank that a line is tagged with and the line without its tag; None for no tag."""
    match = _TAG.match(line)
    return (int(match[1]), match[2]) if match else None


def lines_of(rank: int, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of one rank, without their tags."""
    for line in lines:
        tagged = rank_of(line)
        if tagged is not None and tagged[0] == rank:
            yield tagged[1]


class LineCutter:
    """Cuts pieces of any size into lines; what has no end yet waits for the rest of it."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, piece: bytes) -> list[bytes]:
        """Return the lines that `piece` completes, each with its line feed."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [line + b"\n" for line in lines]

    def rest(self) -> list[bytes]:
        """Return the last line, where it has no line feed."""
        found, self._rest = self._rest, b""
        return [found] if found else []
