"""`mpijob get`: the jobs, one a line."""

import sys
from collections.abc import Sequence

import click
from msgspec import Struct

from mpijob.api import versions
from mpijob.api.manifest import as_list, key_of, labels_of, resource_name
from mpijob.api.selector import Selector, parsed
from mpijob.cli import exits
from mpijob.cli.options import all_namespaces_option, names_argument, namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.render import jobs
from mpijob.cli.render.facts import short
from mpijob.cli.render.table import Row, Table, fitted
from mpijob.cli.surroundings import around
from mpijob.cli.trouble import Trouble
from mpijob.cli.world import World, within
from mpijob.core.explain import explain
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope
from mpijob.ports import ChangeType

#: The states of jobs of which a person who lists them wants to know why.
_PUZZLING = frozenset({"Pending", "Restarting", "Blocked", "Invalid"})


class Listing(Struct, frozen=True):
    """Which jobs to print, and how. `namespace` "" means every namespace, no `names` all."""

    namespace: str
    names: frozenset[str]
    selector: Selector
    labels: str
    output: str
    colour: bool

    def wants(self, job: Manifest) -> bool:
        """Say whether a job belongs to this listing."""
        namespace, name = key_of(job)
        return (
            self.namespace in ("", namespace)
            and (not self.names or name in self.names)
            and self.selector.matches(labels_of(job))
        )

    @property
    def scope(self) -> Scope:
        """What to ask for: what this listing wants, and little else."""
        only = next(iter(self.names)) if len(self.names) == 1 else ""
        return Scope(self.namespace, only, self.labels)

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of the table."""
        columns = jobs.WIDE if self.output == "wide" else jobs.COLUMNS
        return columns if self.namespace else ("NAMESPACE", *columns)

    async def once(self, world: World) -> int:
        """Print the jobs as they are now."""
        found = await self._found(world)
        if self.output in ("json", "yaml"):
            document = found[0] if len(self.names) == 1 else as_list(found)
            click.echo(written(document, self.output), nl=False)
        elif self.output == "name":
            click.echo("".join(f"{resource_name(job)}\n" for job in found), nl=False)
        elif not found:
            where = f"in namespace {self.namespace}" if self.namespace else "in any namespace"
            click.echo(f"No jobs found {where}.", err=True)
        else:
            self._print_table(world, found)
            if self.colour:
                await self._print_causes(world, found)
        return exits.OK

    async def on(self, world: World) -> int:
        """Print the jobs as they are now, then each again whenever it changes; never ends."""
        shape: Table | None = None
        async for change in world.changes(Kind.MPI_JOB, self.scope):
            job = change.manifest
            if isinstance(job, bytes) or change.type is ChangeType.SYNCED or not self.wants(job):
                continue
            if self.output in ("json", "yaml"):
                mark = "---\n" if self.output == "yaml" else ""
                click.echo(mark + written(job, self.output), nl=False)
            elif self.output == "name":
                click.echo(resource_name(job))
            else:
                row = self._row(world, job)
                if shape is None:
                    shape = self._shape([row])
                    click.echo(shape.heading(), nl=False)
                click.echo(shape.line(row), nl=False)
        return exits.OK

    async def _found(self, world: World) -> list[Manifest]:
        """Return the jobs of this listing. Raises Trouble where one that is named is not there."""
        jobs = await world.listed(Kind.MPI_JOB, self.scope)
        found = [job for job in jobs if self.wants(job)]
        there = {key_of(job)[1] for job in found}
        for name in sorted(self.names - there):
            await world.job(Key(self.namespace, name))
        return found

    def _print_table(self, world: World, found: Sequence[Manifest]) -> None:
        rows = [self._row(world, job) for job in found]
        shape = self._shape(rows)
        click.echo(shape.heading() + "".join(shape.line(row) for row in rows), nl=False)

    def _shape(self, rows: Sequence[Row]) -> Table:
        return fitted(self.columns, rows, colour=self.colour)

    def _row(self, world: World, job: Manifest) -> dict[str, str]:
        return jobs.row(versions.decode(job), world.now())

    async def _print_causes(self, world: World, found: Sequence[Manifest]) -> None:
        """Say below the table why jobs do not run that a person would wonder about."""
        puzzling = [job for job in found if self._row(world, job)["STATE"] in _PUZZLING]
        if not puzzling:
            return
        told = await world.listed(Kind.EVENT, Scope(self.namespace))
        each = await world.observed_each(puzzling, Scope(self.namespace))
        for job, observed in zip(puzzling, each, strict=True):
            facts = explain(observed, around(world, job, told))
            if facts:
                click.echo(f"{observed.job.identity.key.name}: {short(facts[0])}")


@click.command("get")
@names_argument
@namespace_option
@all_namespaces_option
@output_option("table", "wide", "json", "yaml", "name")
@click.option("-l", "--selector", default="", metavar="LABELS", help="Only jobs so labelled.")
@click.option("-w", "--watch", is_flag=True, help="Print a job again whenever it changes.")
def command(
    *,
    names: Sequence[str],
    namespace: str,
    all_namespaces: bool,
    output: str | None,
    selector: str,
    watch: bool,
) -> int:
    """List jobs, or those named NAME.

    The state is one word for where a job is in its life: Pending, Running, Suspended, Restarting,
    Blocked, Succeeded, Failed, Invalid or Terminating. `mpijob why NAME` says why.
    """
    if names and all_namespaces:
        raise Trouble("a name belongs to one namespace: leave out -A", code=exits.INVALID)
    try:
        wanted = parsed(selector)
    except ValueError as error:
        raise Trouble(f"--selector: {error}", code=exits.INVALID) from error
    listing = Listing(
        namespace="" if all_namespaces else namespace,
        names=frozenset(names),
        selector=wanted,
        labels=selector,
        output=output or "table",
        colour=sys.stdout.isatty(),
    )
    return within(listing.on if watch else listing.once)
