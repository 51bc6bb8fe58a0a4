"""Kubernetes quantities: `500m`, `1Gi`, `2e3`, and their sums, exact and in canonical form."""

import re
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Self

from msgspec import Struct

_TEXT = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?P<suffix>[eE][+-]?[0-9]{1,4}|[numkMGTPE]|[KMGTPE]i)?"
)
_DECIMAL = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{power: suffix for suffix, power in _BINARY.items()}}
_NANO = 10**9


class Notation(StrEnum):
    """How a quantity was written, and so how sums that begin with it are."""

    DECIMAL = "decimal"
    BINARY = "binary"
    EXPONENT = "exponent"


class NotAQuantity(ValueError):
    """The text is no Kubernetes quantity; the message says so and what one looks like."""


class Quantity(Struct, frozen=True):
    """An exact amount, in units of the resource (cores, bytes, devices)."""

    amount: Fraction
    notation: Notation = Notation.DECIMAL

    def __add__(self, other: Self) -> Self:
        """Return the sum, written like the first of the two that is not zero."""
        notation = self.notation if self.amount else other.notation
        return type(self)(self.amount + other.amount, notation)

    def __mul__(self, count: int) -> Self:
        """Return `count` times this quantity, written like it."""
        return type(self)(self.amount * count, self.notation)

    def __str__(self) -> str:
        """Return the canonical text: no fraction, and the largest suffix that allows it."""
        return _text(self.amount.numerator, self.amount.denominator, self.notation)


@lru_cache(maxsize=1024, typed=True)
def parse(text: str | float) -> Quantity:
    """Return the quantity that a manifest's text or number stands for.

    Fractions finer than a billionth are rounded away from zero, as the API server does.

    Raises:
        NotAQuantity: `text` is none. Validation refuses it first where it can.

    Source: `ParseQuantity`, Kubernetes (apimachinery/pkg/api/resource/quantity.go).

    """
    match = _TEXT.fullmatch(str(text)) if not isinstance(text, bool) else None
    if match is None:
        raise NotAQuantity(
            f"{text!r} is no quantity: write a number, perhaps with a suffix, as in 2, 500m or 1Gi"
        )
    number, suffix = Fraction(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        return Quantity(_to_nano(number * 1024 ** _BINARY[suffix]), Notation.BINARY)
    if suffix in _DECIMAL:
        return Quantity(_to_nano(number * Fraction(1000) ** _DECIMAL[suffix]))
    return Quantity(_to_nano(number * Fraction(10) ** int(suffix[1:])), Notation.EXPONENT)


@lru_cache(maxsize=1024)
def _text(numerator: int, denominator: int, notation: Notation) -> str:
    """Return the canonical text of a quantity. A gang's are written at every look."""
    amount = Fraction(numerator, denominator)
    if notation is Notation.BINARY and abs(amount) >= 1024:
        whole = _whole(amount, 1)
        if whole == amount:
            power = _largest(whole, 1024, top=6)
            return f"{whole // 1024**power}{_BINARY_SUFFIX[power]}"
    nano = _whole(amount, _NANO)
    power = _largest(nano, 1000, top=9) if nano else 3
    number = nano // 1000**power
    if notation is Notation.EXPONENT:
        return f"{number}e{3 * (power - 3)}" if power != 3 else str(number)
    return f"{number}{_DECIMAL_SUFFIX[power - 3]}"


def _to_nano(amount: Fraction) -> Fraction:
    return Fraction(_whole(amount, _NANO), _NANO)


def _whole(amount: Fraction, unit: int) -> int:
    """Return `amount` in whole 1/`unit`, rounded away from zero."""
    scaled = amount * unit
    floor = -(-abs(scaled.numerator) // scaled.denominator)
    return floor if scaled >= 0 else -floor


def _largest(number: int, base: int, top: int) -> int:
    """Return the highest power of `base`, up to `top`, that divides `number`."""
    power = 0
    while power < top and number % base ** (power + 1) == 0:
        power += 1
    return power
