"""`mpijob wait`: return when jobs are as they are wanted."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import click
from msgspec import Struct

from mpijob.api import versions
from mpijob.api.manifest import resource_name
from mpijob.cli import exits
from mpijob.cli.change import chosen
from mpijob.cli.options import all_option, names_argument, namespace_option
from mpijob.cli.periods import Period
from mpijob.cli.render.jobs import finished, reason, state
from mpijob.cli.trouble import Trouble
from mpijob.cli.world import World, within
from mpijob.core.job import Manifest
from mpijob.core.status import ConditionType

_DELETE = "delete"
_FINISHED = "finished"


class Hope(Struct, frozen=True):
    """What is waited for: the end, the removal, or a condition of that type and truth."""

    text: str
    condition: ConditionType | None = None
    truth: bool = True

    def fulfilled(self, job: Manifest) -> bool:
        """Say whether a job is as it is wanted."""
        status = versions.decode(job).status
        if self.condition is None:
            return self.text == _FINISHED and status.finished
        found = status.condition(self.condition)
        return found is not None and found.true is self.truth

    def lost(self, job: Manifest) -> bool:
        """Say whether waiting is in vain: the job has ended, or cannot start as it is written."""
        draft = versions.decode(job)
        return self.text != _DELETE and (finished(draft) or state(draft) == "Invalid")


@click.command("wait")
@names_argument
@namespace_option
@all_option
@click.option(
    "--for",
    "hope",
    default=_FINISHED,
    show_default=True,
    metavar="WHAT",
    help="finished, delete, or condition=TYPE[=true|false].",
)
@click.option("--timeout", type=Period(), metavar="PERIOD", help="Give up after 90s, 5m, 1h30m.")
def command(
    *, names: Sequence[str], namespace: str, every: bool, hope: str, timeout: float | None
) -> int:
    """Wait until jobs are as --for says.

    Exits 0 when all of them are, 124 when the time is over, and at once where waiting is in vain:
    1 when a job has ended otherwise, 2 when it is invalid.
    """
    hoped = _hope(hope)

    async def wait(world: World) -> int:
        try:
            async with asyncio.timeout(timeout):
                jobs = await chosen(world, names, namespace, every=every)
                codes = [await _waited(world, job, hoped) for job in jobs]
        except Trouble as trouble:
            if hoped.text == _DELETE and trouble.code == exits.NOT_FOUND:
                # What is not there need not be waited for.
                return exits.OK
            raise
        except TimeoutError:
            raise Trouble(f"timed out: not {hoped.text}", code=exits.TIMED_OUT) from None
        return max(codes, default=exits.OK)

    return within(wait)


def _hope(text: str) -> Hope:
    """Return what `--for` asks for. Raises Trouble where it asks for nothing that we know."""
    if text in (_DELETE, _FINISHED):
        return Hope(text)
    word, _, rest = text.partition("=")
    type_, _, truth = rest.partition("=")
    types = {known.value.lower(): known for known in ConditionType}
    if word == "condition" and type_.lower() in types and truth.lower() in ("", "true", "false"):
        return Hope(text, types[type_.lower()], truth.lower() != "false")
    raise Trouble(
        f"--for: “{text}” is nothing to wait for",
        hint="finished, delete, or condition= and one of " + ", ".join(ConditionType),
        code=exits.INVALID,
    )


async def _waited(world: World, job: Manifest, hope: Hope) -> int:
    """Wait for one job and return how that ended."""
    name = resource_name(job)
    if hope.text == _DELETE:
        await world.until_gone(job)
        click.echo(f"{name} deleted")
        return exits.OK
    async with aclosing(world.life(job)) as life:
        async for seen in life:
            if hope.fulfilled(seen):
                click.echo(f"{name} {_said(seen, hope)}")
                return exits.OK
            if hope.lost(seen):
                click.echo(f"error: {name} {_end(seen)}", err=True)
                return exits.INVALID if state(versions.decode(seen)) == "Invalid" else exits.FAILED
    click.echo(f"error: {name} was deleted meanwhile", err=True)
    return exits.NOT_FOUND


def _said(job: Manifest, hope: Hope) -> str:
    """Return what to say of a job that is as it was wanted."""
    return state(versions.decode(job)) if hope.text == _FINISHED else f"{hope.text} met"


def _end(job: Manifest) -> str:
    """Return how a job ended that was waited for in vain."""
    draft = versions.decode(job)
    why = reason(draft.status)
    return f"is {state(draft)}" + (f" ({why})" if why else "")
