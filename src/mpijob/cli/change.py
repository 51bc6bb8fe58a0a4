"""A change of jobs that stand in the world: which fields, and what is said of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from mpijob.api import versions
from mpijob.api.manifest import key_of, ref_of, resource_name
from mpijob.cli import exits
from mpijob.cli.render.jobs import finished, state
from mpijob.cli.trouble import Trouble
from mpijob.cli.world import World, within
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope


async def chosen(
    world: World, names: Sequence[str], namespace: str, *, every: bool
) -> list[Manifest]:
    """Return the jobs that a command is about: those named, or all of the namespace.

    Raises:
        Trouble: One that is named is not there, or neither names nor all are asked for.

    """
    if every and names:
        raise Trouble("names and --all do not go together", code=exits.INVALID)
    if every:
        return await world.listed(Kind.MPI_JOB, Scope(namespace))
    if not names:
        raise Trouble("which job?", hint="give a NAME, or --all", code=exits.INVALID)
    return [await world.job(Key(namespace, name)) for name in names]


def changed(
    names: Sequence[str],
    namespace: str,
    fields: Mapping[str, Any],
    verb: str,
    *,
    every: bool = False,
) -> int:
    """Merge `fields` into jobs, say so of each, and return the exit code.

    A job that has finished is beyond change: it is told of and makes the command fail, unless all
    jobs were asked for.
    """

    async def change(world: World) -> int:
        code = exits.OK
        for job in await chosen(world, names, namespace, every=every):
            draft = versions.decode(job)
            if finished(draft):
                if not every:
                    said = f"{resource_name(job)} has finished ({state(draft)})"
                    click.echo(f"error: {said}: it cannot be {verb}", err=True)
                    code = exits.FAILED
                continue
            await world.objects.patch(ref_of(job), fields)
            await world.attend(Key(*key_of(job)))
            click.echo(f"{resource_name(job)} {verb}")
        return code

    return within(change)
