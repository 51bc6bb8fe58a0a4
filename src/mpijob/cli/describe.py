"""`mpijob describe`: a page about each job."""

import sys
from collections.abc import Sequence

import click

from mpijob.api import events as wire
from mpijob.api import v2beta1
from mpijob.cli import exits
from mpijob.cli.options import names_argument, namespace_option
from mpijob.cli.render.description import Subject, description
from mpijob.cli.render.events import concerns
from mpijob.cli.world import World, within
from mpijob.core.explain import explain
from mpijob.core.job import Key
from mpijob.core.plan import Kind


@click.command("describe")
@names_argument
@namespace_option
def command(names: Sequence[str], namespace: str) -> int:
    """Tell all about a job: its pods, conditions and events.

    Without a NAME, about every job of the namespace. The same for programs: `mpijob get -o json`.
    """

    async def tell(world: World) -> int:
        jobs = await world.listed(Kind.MPI_JOB, namespace)
        chosen = names or [v2beta1.decode(job).identity.key.name for job in jobs]
        pages = [await _page(world, Key(namespace, name)) for name in chosen]
        click.echo("\n\n".join(pages), nl=False)
        if not pages:
            click.echo(f"No jobs found in namespace {namespace}.", err=True)
        return exits.OK

    return within(tell)


async def _page(world: World, key: Key) -> str:
    """Return the page about one job. Raises Trouble where there is none."""
    draft = v2beta1.decode(await world.job(key))
    observed = await world.observed(key)
    told = [wire.view(event) for event in await world.listed(Kind.EVENT)]
    mine = [event for event in told if concerns(event, key.namespace, key.name)]
    subject = Subject(draft, observed, explain(observed), mine)
    return description(subject, world.now(), colour=sys.stdout.isatty())
