"""Tables for people and for programs."""

from mpijob.cli.render.table import table

ROWS = [
    {"NAME": "pi", "STATE": "Running", "AGE": "3s"},
    {"NAME": "a-longer-name", "STATE": "Failed", "AGE": ""},
]
COLUMNS = ("NAME", "STATE", "AGE")


def test_columns_are_padded_and_nothing_ends_in_spaces():
    assert table(COLUMNS, ROWS) == (
        "NAME            STATE     AGE\npi              Running   3s\na-longer-name   Failed    -\n"
    )


def test_no_rows_are_no_text():
    assert table(COLUMNS, []) == ""


def test_a_cell_is_one_line():
    assert table(("WHY",), [{"WHY": "two\nlines"}]) == "WHY\ntwo lines\n"


def test_colour_takes_no_room():
    assert table(COLUMNS, ROWS[:1], colour=True) == (
        "NAME   STATE     AGE\npi     \x1b[36mRunning\x1b[0m   3s\n"
    )
