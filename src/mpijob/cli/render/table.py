"""Tables as kubectl prints them: capitals above, columns padded with spaces, no lines."""

from collections.abc import Mapping, Sequence

#: What stands between two columns.
_GAP = "   "
_RESET = "\x1b[0m"
#: The colours of states, for people alone.
COLOURS = {
    "Succeeded": "\x1b[32m",
    "Running": "\x1b[36m",
    "Pending": "\x1b[33m",
    "Restarting": "\x1b[33m",
    "Suspended": "\x1b[33m",
    "Terminating": "\x1b[33m",
    "Warning": "\x1b[33m",
    "Failed": "\x1b[31m",
    "Invalid": "\x1b[31m",
}


def table(
    columns: Sequence[str], rows: Sequence[Mapping[str, str]], *, colour: bool = False
) -> str:
    """Return rows under their columns, one line each; "" where there are no rows.

    The last column is not padded, so nothing ends in spaces. An empty cell is printed as `-`, so
    that programs which split at spaces count right.

    Args:
        columns: The headings, which are also the rows' keys.
        rows: One mapping a line.
        colour: Whether to colour the words for states, for a terminal.

    """
    if not rows:
        return ""
    cells = [list(columns), *([_cell(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "".join(_line(line, widths, colour=colour) for line in cells)


def _cell(text: str) -> str:
    """Return the text of a cell on one line, `-` for nothing."""
    return " ".join(text.split()) or "-"


def _line(cells: Sequence[str], widths: Sequence[int], *, colour: bool) -> str:
    """Return one line of a table, padded by what is seen: colours take no room."""
    last = len(cells) - 1
    parts = []
    for i, (text, width) in enumerate(zip(cells, widths, strict=True)):
        padding = "" if i == last else " " * (width - len(text))
        parts.append(_coloured(text, colour=colour) + padding)
    return _GAP.join(parts) + "\n"


def _coloured(text: str, *, colour: bool) -> str:
    """Return a word for a state in its colour, any other text as it is."""
    code = COLOURS.get(text) if colour else None
    return f"{code}{text}{_RESET}" if code else text
