"""What a plain word of YAML means: exactly what kubectl would send for it.

kubectl reads YAML 1.1 with a reader of its own habits: `no`, `on` and `y` are booleans and `010`
is eight, yet `2001-01-01` and `1:30` are text. PyYAML's own rules differ in most of these, and a
job that means one thing here and another on a cluster would be worse than none.

Source: `resolve`, sigs.k8s.io/yaml (goyaml.v2/resolve.go).
"""

import math
import re

Scalar = None | bool | int | float | str

_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)"
    r"|(?P<dec>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: Longer digits are no 64-bit integer, whatever their base.
_INTEGER_LENGTH = 67
#: Up to here a float knows every integer, and JSON shows it as one.
_EXACT = 2.0**53


def meaning(word: str) -> Scalar:
    """Return the value of a plain (unquoted) scalar."""
    if word in _WORDS:
        return _WORDS[word]
    if not word[0].isascii() or word[0] not in "0123456789+-.":
        return word
    plain = word.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    number = _float(plain) if _FLOAT.fullmatch(plain) else None
    return word if number is None else number


def _integer(plain: str) -> int | None:
    """Return the integer of 64 bits that a word spells, None where it spells none."""
    if len(plain) > _INTEGER_LENGTH:
        return None
    match = _INTEGER.fullmatch(plain)
    if match is None or match.lastgroup is None:
        return None
    magnitude = int(match[match.lastgroup], _BASES[match.lastgroup])
    if match["sign"] == "-":
        return -magnitude if magnitude <= 1 << 63 else None
    return magnitude if magnitude < 1 << 64 else None


def _float(plain: str) -> int | float | None:
    """Return the number that a word spells, as an integer where JSON would show one."""
    number = float(plain)
    if math.isinf(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number
