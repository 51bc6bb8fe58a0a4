"""Does a value have the types that a table of fields says? All that differs, with its path.

The table is ours and compact: a cluster keeps an OpenAPI schema of 670 KB for the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from msgspec import Struct

from mpijob.cluster.job_types import ENUMS, JOB_KEYS, JOB_TYPES
from mpijob.cluster.pod_types import POD_KEY_DEFAULTS, POD_KEYS, POD_TYPES
from mpijob.core.job import Problem
from mpijob.core.validate import DUPLICATE, INVALID, quoted, required, unsupported

#: Every type's fields, and every list's keys, in the notation of `pod_types`.
TYPES = JOB_TYPES | POD_TYPES
KEYS = JOB_KEYS | POD_KEYS
_LIMITS = {"int32": 31, "int64": 63}
_WORDS = {
    "int32": "integer",
    "int64": "integer",
    "quantity": "integer or string",
    "int-or-string": "integer or string",
    "time": "string",
}
_QUANTITY = re.compile(
    r"(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?"
)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[-+][0-9]{2}:[0-9]{2})"
)


class Unknown(Struct, frozen=True):
    """A field that the table does not know: where, its name, and the names that it does know."""

    path: str
    name: str
    known: tuple[str, ...]


class Field(NamedTuple):
    """One field of a type."""

    type: str
    required: bool
    null_is_default: bool


class _Spot(NamedTuple):
    """Where a value stands: its path, and the type and field that hold it."""

    path: str
    owner: str = ""
    field: str = ""


def faults(value: object, type_: str, path: str = "") -> Iterator[Problem | Unknown]:
    """Yield what keeps `value` from being of that type, and the fields that no one knows.

    Goes no deeper than the table does, however deep the value is.
    """
    return _faults(value, type_, _Spot(path))


@cache
def fields_of(type_: str) -> Mapping[str, Field]:
    """Return the fields of one of the table's types, by name."""
    fields: dict[str, Field] = {}
    for entry in TYPES[type_].split():
        if entry.startswith("+"):
            fields.update(fields_of(entry[1:]))
            continue
        name, _, of = entry.partition(":")
        fields[name.rstrip("!?")] = Field(of, name.endswith("!"), name.endswith("?"))
    return fields


def json_type(value: object) -> str:
    """Return JSON's word for the type of a value; a fraction without a rest is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def _faults(value: object, type_: str, spot: _Spot) -> Iterator[Problem | Unknown]:
    """Yield the faults of a value at its spot."""
    found = json_type(value)
    if type_[0] == "[":
        if isinstance(value, list | tuple):
            yield from _list_faults(value, type_[1:-1], spot)
        else:
            yield _mistyped(spot.path, found, "array")
    elif type_[0] == "{" or type_ == "object" or type_ in TYPES:
        if not isinstance(value, Mapping):
            yield _mistyped(spot.path, found, "object")
        elif type_[0] == "{":
            for key, inner in value.items():
                yield from _faults(inner, type_[1:-1], _Spot(f"{spot.path}[{key}]"))
        elif type_ in TYPES:
            yield from _object_faults(value, type_, spot.path)
    else:
        yield from _scalar_faults(value, found, type_, spot)


def _object_faults(
    value: Mapping[Any, object], type_: str, path: str
) -> Iterator[Problem | Unknown]:
    """Yield the faults of an object: fields that are missing, wrong or unknown."""
    fields = fields_of(type_)
    dot = f"{path}." if path else ""
    for name, field in fields.items():
        if field.required and name not in value:
            yield required(f"{dot}{name}", "")
    for name, inner in value.items():
        known = fields.get(name)
        if known is None:
            yield Unknown(f"{dot}{name}", str(name), tuple(fields))
        elif inner is not None or not known.null_is_default:
            yield from _faults(inner, known.type, _Spot(f"{dot}{name}", type_, name))


def _list_faults(values: Sequence[object], type_: str, spot: _Spot) -> Iterator[Problem | Unknown]:
    """Yield the faults of a list: wrong items, and items that stand there twice."""
    for index, item in enumerate(values):
        yield from _faults(item, type_, _Spot(f"{spot.path}[{index}]"))
    owner = "Container" if spot.owner == "EphemeralContainer" else spot.owner
    keys = KEYS.get((owner, spot.field))
    if keys is None:
        return
    seen = set()
    for index, item in enumerate(values):
        if not isinstance(item, Mapping):
            continue
        identity = tuple(str(item.get(key, POD_KEY_DEFAULTS.get(key, ""))) for key in keys)
        if identity in seen:
            shown = ",".join(
                f"{quoted(key)}:{quoted(of)}" for key, of in zip(keys, identity, strict=True)
            )
            yield Problem(f"{spot.path}[{index}]", DUPLICATE, "", f"{{{shown}}}")
        seen.add(identity)


def _scalar_faults(value: object, found: str, type_: str, spot: _Spot) -> Iterator[Problem]:
    """Yield the fault of a value that is neither a list nor an object."""
    wanted = _WORDS.get(type_, type_)
    if found not in wanted.split(" or "):
        yield _mistyped(spot.path, found, wanted)
    elif type_ in _LIMITS and isinstance(value, int | float):
        most = (1 << _LIMITS[type_]) - 1
        if not -most - 1 <= value <= most:
            detail = f"must be a number of {type_[3:]} bits: {-most - 1} to {most}"
            yield Problem(spot.path, INVALID, detail, str(value))
    elif isinstance(value, str):
        yield from _text_faults(value, type_, spot)


def _text_faults(value: str, type_: str, spot: _Spot) -> Iterator[Problem]:
    """Yield the fault of a text of which not every text will do."""
    allowed = ENUMS.get((spot.owner, spot.field))
    if allowed is not None and value not in allowed:
        yield unsupported(spot.path, value, allowed)
    elif type_ == "quantity" and not _QUANTITY.fullmatch(value):
        detail = "must be a quantity, such as 500m, 2 or 16Gi"
        yield Problem(spot.path, INVALID, detail, quoted(value))
    elif type_ == "time" and not _TIME.fullmatch(value):
        detail = "must be a time, such as 2026-01-31T12:00:00Z"
        yield Problem(spot.path, INVALID, detail, quoted(value))


def _mistyped(path: str, found: str, wanted: str) -> Problem:
    """Return the problem of a value of another type than the field's."""
    return Problem(path, INVALID, f"must be of type {wanted}: {quoted(found)}", quoted(found))
