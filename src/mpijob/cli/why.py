"""`mpijob why`: the likeliest cause first, and what to do about it."""

import sys

import click

from mpijob.cli import exits
from mpijob.cli.options import name_argument, namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.render import facts
from mpijob.cli.world import World, within
from mpijob.core.explain import explain
from mpijob.core.job import Key


@click.command("why")
@name_argument
@namespace_option
@output_option("json", "yaml")
def command(name: str, namespace: str, output: str | None) -> int:
    """Say why a job is not running: the likeliest cause first.

    Each fact is what was seen; below it stands what to do about it, where there is something. A
    job that runs or has ended well says so.
    """

    async def tell(world: World) -> int:
        found = explain(await world.observed(Key(namespace, name)))
        if output:
            click.echo(written(facts.as_json(found), output), nl=False)
        else:
            click.echo(facts.paragraphs(found, colour=sys.stdout.isatty()), nl=False)
        return exits.OK

    return within(tell)
