"""Arguments and options that several commands share, spelled as kubectl spells them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from mpijob.cli.where import meant, where_options

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _job_names(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 (click's signature)
    incomplete: str,
) -> list[CompletionItem]:
    """Return the jobs whose names begin as what was typed, for the shell."""
    from mpijob.api.manifest import key_of
    from mpijob.cli.world import World, within
    from mpijob.core.plan import Kind
    from mpijob.engine.sight import Scope

    names: list[str] = []

    async def collect(world: World) -> None:
        jobs = await world.listed(Kind.MPI_JOB, Scope(ctx.params["namespace"]))
        names.extend(key_of(job)[1] for job in jobs)

    try:
        within(collect, meant(ctx))
    except Exception:  # noqa: BLE001  # A shell that completes a word has no place for errors.
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _or_home(_: click.Context, __: click.Parameter, value: str | None) -> str:
    """Return the namespace that is meant: the one that is said, or the place's own."""
    return value or meant().home()


_namespace = click.option(
    "-n",
    "--namespace",
    callback=_or_home,
    metavar="NAMESPACE",
    help="Whose jobs; else the context's, or “default”.",
)


def namespace_option(command: _Command) -> _Command:
    """Give a command the options that say whose jobs it is about: where, and which namespace."""
    return _namespace(where_options(command))


all_namespaces_option = click.option(
    "-A", "--all-namespaces", is_flag=True, help="The jobs of every namespace."
)
name_argument = click.argument("name", shell_complete=_job_names)
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_job_names)
all_option = click.option("--all", "every", is_flag=True, help="Every job of the namespace.")
