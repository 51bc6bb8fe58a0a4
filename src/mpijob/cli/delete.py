"""`mpijob delete`: stop jobs and remove them."""

from collections.abc import Sequence

import click

from mpijob.api.manifest import key_of, ref_of, resource_name, uid_of
from mpijob.cli import exits
from mpijob.cli.change import chosen
from mpijob.cli.options import all_option, names_argument, namespace_option
from mpijob.cli.trouble import Trouble
from mpijob.cli.world import World, within
from mpijob.core.job import Key


@click.command("delete")
@names_argument
@namespace_option
@all_option
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Return when all of it is gone."
)
@click.option("--ignore-not-found", is_flag=True, help="A job that is not there is as good.")
def command(
    *, names: Sequence[str], namespace: str, every: bool, wait: bool, ignore_not_found: bool
) -> int:
    """Stop jobs and remove them with all that they made.

    Their processes are told to end (SIGTERM) and, after their grace period, ended. Logs go too.
    """

    async def remove(world: World) -> int:
        left = []
        for name in names:
            if await world.removed_pods(Key(namespace, name)):
                click.echo(f"pods of {name} deleted")
            else:
                left.append(name)
        if names and not left:
            return exits.OK
        try:
            jobs = await chosen(world, left, namespace, every=every)
        except Trouble as trouble:
            if ignore_not_found and trouble.code == exits.NOT_FOUND:
                return exits.OK
            raise
        for job in jobs:
            await world.objects.delete(ref_of(job), uid=uid_of(job))
            await world.attend(Key(*key_of(job)))
            click.echo(f"{resource_name(job)} deleted")
        if wait:
            for job in jobs:
                await world.until_gone(job)
        return exits.OK

    return within(remove)
