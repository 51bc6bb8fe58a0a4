"""Findings with their place in a file, and the error that holds those that make it unusable."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from mpijob.core.finding import Finding


class Position(NamedTuple):
    """A place in a text, counted from 1 as editors do."""

    line: int
    column: int


class Complaint(Struct, frozen=True):
    """A finding and where in which file it stands; `position` is None for the file as a whole."""

    file: str
    position: Position | None
    finding: Finding

    @property
    def place(self) -> str:
        """The file, with line and column where they are known, as editors understand it."""
        if self.position is None:
            return self.file
        return f"{self.file}:{self.position.line}:{self.position.column}"

    def __str__(self) -> str:
        return f"{self.place}: {self.finding}"


class Invalid(Exception):
    """The file holds no job that can be run. `complaints` are all the reasons, in file order."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(map(str, self.complaints)))
