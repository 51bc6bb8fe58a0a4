"""`mpijob why`: the likeliest cause first, and what to do about it."""

import sys
from collections.abc import Iterator

import click

from mpijob.cli import exits
from mpijob.cli.options import name_argument, namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.render import facts
from mpijob.cli.surroundings import asked_for
from mpijob.cli.world import World, within
from mpijob.core.explain import Fact, Weight, explain
from mpijob.core.finding import Severity
from mpijob.core.job import Key, Manifest
from mpijob.core.status import ConditionType
from mpijob.engine.sight import Scope
from mpijob.jobfile.inspection import manifest_findings


def _suspicions(job: Manifest) -> Iterator[Fact]:
    """Yield what `lint` would warn of in the job: placeholders, numbers that do not agree."""
    for finding in dict.fromkeys(manifest_findings(job)):
        if finding.severity is Severity.WARNING:
            yield Fact(Weight.HINDRANCE, f"{finding.field}:", finding.message, finding.hint)


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
        job = await world.job(Key(namespace, name))
        (observed,) = await world.observed_each([job], Scope(namespace, name))
        found = list(explain(observed, await asked_for(world, job, observed)))
        if not observed.job.status.is_true(ConditionType.SUCCEEDED):
            found += _suspicions(job)
        if output:
            click.echo(written(facts.as_json(found), output), nl=False)
        else:
            click.echo(facts.paragraphs(found, colour=sys.stdout.isatty()), nl=False)
        return exits.OK

    return within(tell)
