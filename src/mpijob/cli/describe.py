"""`mpijob describe`: a page about each job."""

import sys
from collections.abc import Sequence

import click

from mpijob.api import events as wire
from mpijob.api import versions
from mpijob.api.events import concerns
from mpijob.api.manifest import key_of
from mpijob.cli import exits
from mpijob.cli.options import names_argument, namespace_option
from mpijob.cli.render.description import Subject, description
from mpijob.cli.surroundings import around
from mpijob.cli.world import World, within
from mpijob.core.explain import explain
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope


@click.command("describe")
@names_argument
@namespace_option
def command(names: Sequence[str], namespace: str) -> int:
    """Tell all about a job: its pods, conditions and events.

    Without a NAME, about every job of the namespace. The same for programs: `mpijob get -o json`.
    """

    async def tell(world: World) -> int:
        if names:
            jobs = [await world.job(Key(namespace, name)) for name in names]
        else:
            jobs = await world.listed(Kind.MPI_JOB, Scope(namespace))
        pages = await _pages(world, jobs, namespace) if jobs else []
        click.echo("\n\n".join(pages), nl=False)
        if not pages:
            click.echo(f"No jobs found in namespace {namespace}.", err=True)
        return exits.OK

    return within(tell)


async def _pages(world: World, jobs: Sequence[Manifest], namespace: str) -> list[str]:
    """Return a page about each of these jobs."""
    only = key_of(jobs[0])[1] if len(jobs) == 1 else ""
    each = await world.observed_each(jobs, Scope(namespace, only))
    events = await world.listed(Kind.EVENT, Scope(namespace))
    told = [wire.view(event) for event in events]
    pages = []
    for job, observed in zip(jobs, each, strict=True):
        mine = [event for event in told if concerns(event, *key_of(job))]
        subject = Subject(
            versions.decode(job), observed, explain(observed, around(world, job, events)), mine
        )
        pages.append(description(subject, world.now(), colour=sys.stdout.isatty()))
    return pages
