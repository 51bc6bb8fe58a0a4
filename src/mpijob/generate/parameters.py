"""The parameters of prototypes: tables of names, types and defaults, and how values are read.

Whoever gives a parameter gives text, or what YAML made of it. It is read by the parameter's type;
all that is wrong is told at once, each by the parameter's name and with what to do about it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from typing import Any

import yaml
from msgspec import Struct

#: How a table says that a text is not given, and a person that it is not.
NULL = "null"

#: What a number may be at most, where its parameter says no less: Kubernetes' own limit.
MOST = 2**31 - 1

#: The parameters of a prototype, each read by its type. Text that was not given is None.
Values = Mapping[str, Any]


class Type(StrEnum):
    """What a value is: text, a whole number, or a list or mapping as YAML writes them."""

    STRING = "string"
    NUMBER = "number"
    ARRAY = "array"
    OBJECT = "object"


class Parameter(Struct, frozen=True):
    """One parameter.

    Args:
        name: As it is given: `--NAME VALUE`.
        type: How its value is read.
        description: One sentence, as `describe` prints it.
        default: What counts where nothing is given, as a person would give it: "null" for no text.
            None: it must be given.
        least: The smallest value of a number.
        most: The largest.

    """

    name: str
    type: Type
    description: str
    default: str | None = None
    least: int = 0
    most: int = MOST

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is None


Table = Sequence[Parameter]


class Fault(Struct, frozen=True):
    """What is wrong with one parameter, and what to do about it."""

    parameter: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"parameter {self.parameter}: {self.what}; {self.remedy}"


class WrongParameters(Exception):
    """Parameters cannot be used as they are given: every reason at once, as `faults`."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class _Unreadable(Exception):
    """A value is not of its parameter's type: what is wrong, and what to give instead."""


def read(table: Table, given: Mapping[str, object]) -> Values:
    """Return every parameter of the table by its name: as given, else its default.

    What is given empty counts as not given.

    Args:
        table: The parameters that there are.
        given: What a person says of them: text, or what YAML made of it.

    Returns:
        Text, or None for "null"; whole numbers; lists and mappings.

    Raises:
        WrongParameters: One is unknown, missing, or not of its type. That is the caller's fault.

    """
    faults = [*_unknown(table, given)]
    values: dict[str, Any] = {}
    for parameter in table:
        said = given.get(parameter.name)
        value = parameter.default if said is None or said == "" else said
        if value is None or (parameter.required and value == NULL):
            what = "it is missing" if said is None else "it is empty"
            remedy = f"say what it is: {parameter.description.rstrip('.')}"
            faults.append(Fault(parameter.name, what, remedy))
            continue
        try:
            values[parameter.name] = _read(parameter, value)
        except _Unreadable as unreadable:
            faults.append(Fault(parameter.name, *unreadable.args))
    if faults:
        raise WrongParameters(*faults)
    return values


def _unknown(table: Table, given: Mapping[str, object]) -> Iterator[Fault]:
    names = [parameter.name for parameter in table]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            yield Fault(name, "there is no such parameter", remedy)


def _read(parameter: Parameter, value: object) -> Any:
    match parameter.type:
        case Type.STRING:
            return _text(value)
        case Type.NUMBER:
            return _number(value, parameter.least, parameter.most)
        case Type.ARRAY:
            return _structure(value, list, "a list, such as [{name: a}, {name: b}]")
        case Type.OBJECT:
            return _structure(value, dict, "a mapping, such as {a: 1, b: 2}")


def _text(value: object) -> str | None:
    if isinstance(value, list | dict):
        raise _Unreadable("it is a list or a mapping, not text", "put it into quotes")
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return None if text == NULL else text


def _number(value: object, least: int, most: int) -> int:
    what = f"“{value}” is not a whole number"
    limit = "or more" if most == MOST else f"to {most}"
    remedy = f"give one of {least} {limit}, such as {max(least, 4)}"
    try:
        number = float(str(value))
    except ValueError:
        raise _Unreadable(what, remedy) from None
    if not isfinite(number) or number != int(number):
        raise _Unreadable(what, remedy)
    if number < least:
        raise _Unreadable(f"{value} is too small", remedy)
    if number > most:
        raise _Unreadable(f"{value} is too large", remedy)
    return int(number)


def _structure(value: object, wanted: type, shape: str) -> Any:
    """Return a list or mapping, as JSON or YAML write it. Jsonnet's are read where YAML can."""
    found = _parsed(value) if isinstance(value, str) else value
    if not isinstance(found, wanted):
        raise _Unreadable(f"“{value}” is not {shape.partition(',')[0]}", f"give {shape}")
    return found


def _parsed(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
