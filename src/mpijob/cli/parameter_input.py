"""What a command line says of a prototype and its parameters, and what is wrong with that."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.generate.parameters import WrongParameters
from mpijob.generate.prototype import NotFound, Prototype, called
from mpijob.generate.prototypes import PROTOTYPES


def prototype_called(name: str) -> Prototype:
    """Return the prototype that is called so. Raises Trouble where none is, or several are."""
    try:
        return called(name, PROTOTYPES)
    except NotFound as missing:
        hint = "`mpijob prototype list` lists them"
        raise Trouble(str(missing), hint=hint, code=exits.INVALID) from None


@contextmanager
def told_of(prototype: Prototype, where: str = "") -> Iterator[None]:
    """Turn what is wrong with parameters into Trouble, each on a line of its own.

    Args:
        prototype: Whose parameters they are.
        where: The file in which they stand, "" for the command line.

    """
    try:
        yield
    except WrongParameters as wrong:
        place = f"{where}: " if where else ""
        message = "\n".join(f"{place}{fault}" for fault in wrong.faults)
        hint = f"`mpijob prototype describe {prototype.short_name}` tells of all parameters"
        raise Trouble(message, hint=hint, code=exits.INVALID) from None


def assigned(words: Sequence[str]) -> Mapping[str, str]:
    """Return parameters from words such as `gpus=16`. Raises Trouble where one is not like that."""
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            hint = "such as --param gpus=16"
            raise Trouble(f"“{word}” is not NAME=VALUE", hint=hint, code=exits.INVALID)
        given[name] = value
    return given
