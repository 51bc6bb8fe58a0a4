"""Kubernetes quantities: read, added, written."""

from fractions import Fraction

import pytest

from mpijob.core import quantity

AMOUNTS = {
    "a plain number": ("2", Fraction(2)),
    "a number that YAML read as one": (3, Fraction(3)),
    "thousandths of a core": ("500m", Fraction(1, 2)),
    "a decimal fraction": (".5", Fraction(1, 2)),
    "a binary suffix": ("1Gi", Fraction(2**30)),
    "a decimal suffix": ("1.5G", Fraction(1_500_000_000)),
    "an exponent": ("2e3", Fraction(2000)),
    "E alone is exa": ("1E", Fraction(10**18)),
    "finer than a billionth is rounded up": ("0.1n", Fraction(1, 10**9)),
    "below zero": ("-1k", Fraction(-1000)),
}


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.values(), ids=AMOUNTS)
def test_a_quantity_is_read_exactly(text, amount):
    assert quantity.parse(text).amount == amount


CANONICAL = {
    "whole thousandths stay": ("500m", "500m"),
    "a thousand thousandths are one": ("1000m", "1"),
    "a fraction becomes thousandths": ("1.5", "1500m"),
    "the largest suffix that leaves no fraction": ("1024Mi", "1Gi"),
    "no larger one": ("1536Mi", "1536Mi"),
    "a binary fraction below a KiB is decimal": ("0.5Ki", "512"),
    "decimal thousands": ("2000", "2k"),
    "exponents go by threes": ("2e4", "20e3"),
    "exponent nought": ("5e0", "5"),
    "nothing": ("0", "0"),
    "nothing, in binary": ("0Gi", "0"),
}


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.values(), ids=CANONICAL)
def test_a_quantity_is_written_canonically(text, canonical):
    assert str(quantity.parse(text)) == canonical


SUMS = {
    "like the first": (["1Gi", "1G"], "2073741824"),
    "cores": (["500m", "1", "250m"], "1750m"),
    "nothing at first takes the other's notation": (["0", "1Gi"], "1Gi"),
}


@pytest.mark.parametrize(("texts", "total"), SUMS.values(), ids=SUMS)
def test_quantities_add_up(texts, total):
    assert str(sum(map(quantity.parse, texts), quantity.parse(0))) == total


def test_a_quantity_is_multiplied():
    assert str(quantity.parse("256Mi") * 4) == "1Gi"


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1gb", "one", "1Ki2", "0x10", "1e", True, "\u0661"]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(quantity.NotAQuantity, match="is no quantity"):
        quantity.parse(text)
