"""Tables as kubectl prints them: capitals above, columns padded with spaces, no lines."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

#: What stands between two columns.
_GAP = "   "
_RESET = "\x1b[0m"
#: The colours of words, for people alone: green is good, yellow waits, red is bad.
COLOURS = {
    "Succeeded": "\x1b[32m",
    "Running": "\x1b[36m",
    "Pending": "\x1b[33m",
    "Restarting": "\x1b[33m",
    "Suspended": "\x1b[33m",
    "Blocked": "\x1b[33m",
    "Terminating": "\x1b[33m",
    "Warning": "\x1b[33m",
    "Failed": "\x1b[31m",
    "Invalid": "\x1b[31m",
}

Row = Mapping[str, str]


class Table(Struct, frozen=True):
    """Columns with their widths in characters: at least as wide as their headings.

    `colour` says whether words for states are coloured, as on a terminal.
    """

    columns: tuple[str, ...]
    widths: tuple[int, ...]
    colour: bool = False

    def heading(self) -> str:
        """Return the line of the headings."""
        return self._line(self.columns)

    def line(self, row: Row) -> str:
        """Return one row as a line. What does not fit its column pushes the others aside."""
        return self._line([_cell(row, name) for name in self.columns])

    def _line(self, cells: Sequence[str]) -> str:
        """Return one line, padded by what is seen: colours take no room, and the end no spaces."""
        padded = (
            self._coloured(text) + " " * (width - len(text))
            for text, width in zip(cells, (*self.widths[:-1], 0), strict=True)
        )
        return _GAP.join(padded) + "\n"

    def _coloured(self, text: str) -> str:
        code = COLOURS.get(text) if self.colour else None
        return f"{code}{text}{_RESET}" if code else text


def fitted(columns: Sequence[str], rows: Sequence[Row], *, colour: bool = False) -> Table:
    """Return the table in whose columns all of `rows` fit."""
    widths = (max(len(name), *(len(_cell(row, name)) for row in rows), 0) for name in columns)
    return Table(tuple(columns), tuple(widths), colour)


def table(columns: Sequence[str], rows: Sequence[Row], *, colour: bool = False) -> str:
    """Return rows under their headings, one line each; "" where there are no rows.

    Nothing ends in spaces. An empty cell is printed as `-`, so that programs which split at
    spaces count right.
    """
    if not rows:
        return ""
    shape = fitted(columns, rows, colour=colour)
    return shape.heading() + "".join(shape.line(row) for row in rows)


def _cell(row: Row, name: str) -> str:
    """Return the text of a cell on one line, `-` for nothing."""
    return " ".join(row.get(name, "").split()) or "-"
