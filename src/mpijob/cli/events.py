"""`mpijob events`: what happened, in order."""

import sys
from collections.abc import Sequence

import click
from msgspec import Struct

from mpijob.api import events as wire
from mpijob.api.events import EventView
from mpijob.api.manifest import as_list
from mpijob.cli import exits
from mpijob.cli.options import all_namespaces_option, names_argument, namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.render import events
from mpijob.cli.render.table import fitted, table
from mpijob.cli.world import World, within
from mpijob.core.job import Key
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope
from mpijob.ports import ChangeType

#: What the columns are at least as wide as while events come one by one.
_USUAL = {
    "LAST SEEN": "119s",
    "TYPE": "Warning",
    "REASON": "MPIJobSucceeded",
    "OBJECT": "pod/some-job-worker-0",
}


class Telling(Struct, frozen=True):
    """Which events to print, and how. `namespace` "" means every namespace, no `names` all."""

    namespace: str
    names: Sequence[str]
    output: str
    colour: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of the table."""
        return events.COLUMNS if self.namespace else ("NAMESPACE", *events.COLUMNS)

    def wants(self, event: EventView) -> bool:
        """Say whether an event is to be printed."""
        if self.names:
            return any(wire.concerns(event, self.namespace, name) for name in self.names)
        return self.namespace in ("", event.namespace)

    async def once(self, world: World) -> int:
        """Print what has happened so far. Raises Trouble where a job that is named is not there."""
        for name in self.names:
            await world.job(Key(self.namespace, name))
        told = await world.listed(Kind.EVENT, Scope(self.namespace))
        found = [event for event in told if self.wants(wire.view(event))]
        if self.output in ("json", "yaml"):
            click.echo(written(as_list(found), self.output), nl=False)
            return exits.OK
        rows = [events.row(e, world.now()) for e in wire.in_order(map(wire.view, found))]
        if not rows:
            click.echo("No events.", err=True)
        click.echo(table(self.columns, rows, colour=self.colour), nl=False)
        return exits.OK

    async def on(self, world: World) -> int:
        """Print what has happened, then each event as it comes; never ends."""
        shape = fitted(self.columns, [_USUAL], colour=self.colour)
        if self.output == "table":
            click.echo(shape.heading(), nl=False)
        async for change in world.changes(Kind.EVENT, Scope(self.namespace)):
            told = change.manifest
            if isinstance(told, bytes) or change.type in (ChangeType.SYNCED, ChangeType.DELETED):
                continue
            event = wire.view(told)
            if self.wants(event) and self.output == "table":
                click.echo(shape.line(events.row(event, world.now())), nl=False)
            elif self.wants(event):
                mark = "---\n" if self.output == "yaml" else ""
                click.echo(mark + written(told, self.output), nl=False)
        return exits.OK


@click.command("events")
@names_argument
@namespace_option
@all_namespaces_option
@output_option("table", "json", "yaml")
@click.option("-w", "--watch", is_flag=True, help="Print what happens from now on, too.")
def command(
    *, names: Sequence[str], namespace: str, all_namespaces: bool, output: str | None, watch: bool
) -> int:
    """List what happened to jobs, the oldest first.

    With NAMEs, only what concerns these jobs and their pods.
    """
    telling = Telling(
        namespace="" if all_namespaces else namespace,
        names=names,
        output=output or "table",
        colour=sys.stdout.isatty(),
    )
    return within(telling.on if watch else telling.once)
