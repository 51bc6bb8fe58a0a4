"""`mpijob prototype`: what can be generated, and from which parameters."""

from collections.abc import Sequence

import click

from mpijob.cli import exits
from mpijob.cli.parameter_input import prototype_called
from mpijob.cli.render.table import table
from mpijob.cli.trouble import Trouble
from mpijob.generate.prototype import Prototype, described, search
from mpijob.generate.prototypes import PROTOTYPES

_COLUMNS = ("NAME", "DESCRIPTION")


@click.group("prototype")
def command() -> None:
    """List and describe what `mpijob generate` can make."""


@command.command("list")
def _list() -> int:
    """List all prototypes."""
    click.echo(_listed(PROTOTYPES), nl=False)
    return exits.OK


@command.command("search")
@click.argument("part")
def _search(part: str) -> int:
    """List the prototypes that have PART in their names."""
    found = search(part, PROTOTYPES)
    if not found:
        names = ", ".join(one.name for one in PROTOTYPES)
        what = f"no prototype's name has “{part}” in it"
        raise Trouble(what, hint=f"there are {names}", code=exits.INVALID)
    click.echo(_listed(found), nl=False)
    return exits.OK


@command.command("describe")
@click.argument("name")
def _describe(name: str) -> int:
    """Print what a prototype makes, and its parameters.

    NAME is a prototype's full name, or any ending of it that no other has.
    """
    click.echo(described(prototype_called(name)), nl=False)
    return exits.OK


def _listed(prototypes: Sequence[Prototype]) -> str:
    return table(
        _COLUMNS, [{"NAME": one.name, "DESCRIPTION": one.description} for one in prototypes]
    )
