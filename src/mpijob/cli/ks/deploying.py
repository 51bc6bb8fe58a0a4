"""What the components of an environment make: shown, brought to a cluster, removed from it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mpijob.cli import exits
from mpijob.cli.applying import apply_all, remove_all, surplus_pods, until_done, warn_of_rivals
from mpijob.cli.ks import app as apps
from mpijob.cli.ks.app import Environment
from mpijob.cli.ks.rendering import objects
from mpijob.cli.output import listed_as, output_option
from mpijob.cli.periods import Period
from mpijob.cli.where import Where, cluster_options, meant

if TYPE_CHECKING:
    from mpijob.kube.client import Client

_ENVIRONMENT = click.argument("environment", metavar="ENV")
_CHOSEN = click.option(
    "-c",
    "--component",
    "names",
    multiple=True,
    metavar="COMPONENT",
    help="This component alone; may be given again.",
)


@click.command("show")
@_ENVIRONMENT
@_CHOSEN
@output_option("yaml", "json", "name")
def show(environment: str, names: Sequence[str], output: str | None) -> int:
    """Print the objects that an environment is to have."""
    folder = apps.here()
    made = objects(folder, folder.environment(environment), names)
    click.echo(listed_as(made, output or "yaml"), nl=False)
    return exits.OK


@click.command("apply")
@_ENVIRONMENT
@_CHOSEN
@click.option("--dry-run", is_flag=True, help="Have the server check it all, and change nothing.")
@click.option(
    "--wait", is_flag=True, help="Return when what runs is ready, and what ends has ended."
)
@click.option(
    "--timeout", type=Period(), metavar="PERIOD", help="Wait no longer than 90s, 5m, 1h30m."
)
@cluster_options
def apply(
    environment: str, names: Sequence[str], *, dry_run: bool, wait: bool, timeout: float | None
) -> int:
    """Bring a cluster to what an environment is to have."""
    folder = apps.here()
    place = folder.environment(environment)
    made = objects(folder, place, names)

    async def put(client: "Client") -> int:
        await warn_of_rivals(client, made)
        await apply_all(client, made, dry_run=dry_run)
        return await until_done(client, made, timeout) if wait and not dry_run else exits.OK

    return _cluster_of(place).run(put)


@click.command("delete")
@_ENVIRONMENT
@_CHOSEN
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Return when all of it is gone."
)
@cluster_options
def delete(environment: str, names: Sequence[str], *, wait: bool) -> int:
    """Remove from a cluster what an environment has there.

    Workers that are above a number that was lowered since go too.
    """
    folder = apps.here()
    place = folder.environment(environment)
    made = objects(folder, place, names)

    async def take(client: "Client") -> int:
        everything = [*made, *await surplus_pods(client, made)]
        await remove_all(client, everything, wait=wait)
        return exits.OK

    return _cluster_of(place).run(take)


def _cluster_of(place: Environment) -> Where:
    """Return the cluster that an environment is about, unless the command line names another."""
    where = meant()
    where.context = where.context or place.context
    return where
