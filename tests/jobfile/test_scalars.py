"""Plain words mean here what they mean to kubectl."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.jobfile.scalars import meaning

MEANINGS = {
    "text": ("mpirun", "mpirun"),
    "nothing at all": ("", None),
    "a tilde": ("~", None),
    "no": ("no", False),
    "on": ("on", True),
    "y, which PyYAML takes for text": ("y", True),
    "nO is no word of YAML": ("nO", "nO"),
    "a number": ("2", 2),
    "a signed number": ("+2", 2),
    "a negative number": ("-2", -2),
    "octal": ("010", 8),
    "octal as YAML 1.2 has it": ("0o10", 8),
    "eight is no octal digit, so this is a decimal fraction's integer part": ("08", 8),
    "hexadecimal": ("0x1F", 31),
    "binary": ("0b11", 3),
    "underscores between digits": ("1_000", 1000),
    "a fraction": ("0.5", 0.5),
    "a fraction without a leading digit": (".5", 0.5),
    "a whole fraction is an integer in JSON": ("2.0", 2),
    "an exponent": ("1e3", 1000),
    "minutes and seconds are text, though PyYAML counts them": ("1:30", "1:30"),
    "a date is text": ("2001-01-01", "2001-01-01"),
    "a time is text": ("2001-01-01T12:00:00Z", "2001-01-01T12:00:00Z"),
    "a version is text": ("1.2.3", "1.2.3"),
    "a quantity is text": ("500m", "500m"),
    "a path is text": ("/root/.ssh", "/root/.ssh"),
    "a dash is text": ("-", "-"),
    "a flag is text": ("-np", "-np"),
    "the largest unsigned integer": ("18446744073709551615", 2**64 - 1),
    "more than 64 bits are a fraction": ("18446744073709551616", 1.8446744073709552e19),
    "the least integer": ("-9223372036854775808", -(2**63)),
    "less than that is a fraction": ("-9223372036854775809", -9.223372036854775808e18),
    "more digits than any number has": ("9" * 5000, "9" * 5000),
    "infinity": (".inf", math.inf),
    "digits of another script are text": ("٣", "٣"),
}


@pytest.mark.parametrize(("word", "value"), MEANINGS.values(), ids=MEANINGS)
def test_a_plain_word(word, value):
    assert (meaning(word), type(meaning(word))) == (value, type(value))


def test_no_number():
    assert math.isnan(meaning(".nan"))


@given(st.text(max_size=40) | st.text("0123456789+-._eExXoObB", max_size=80))
def test_every_word_means_something(word):
    assert isinstance(meaning(word), None | bool | int | float | str)
