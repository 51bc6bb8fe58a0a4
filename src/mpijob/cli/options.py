"""Arguments and options that several commands share, spelled as kubectl spells them."""

import click
from click.shell_completion import CompletionItem

#: The namespace of a job that says none.
DEFAULT_NAMESPACE = "default"


def _job_names(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 (click's signature)
    incomplete: str,
) -> list[CompletionItem]:
    """Return the jobs whose names begin as what was typed, for the shell."""
    from mpijob.api.manifest import key_of
    from mpijob.cli.world import World, within
    from mpijob.core.plan import Kind

    names: list[str] = []

    async def collect(world: World) -> None:
        wanted = ctx.params.get("namespace") or DEFAULT_NAMESPACE
        names.extend(key_of(job)[1] for job in await world.listed(Kind.MPI_JOB, wanted))

    within(collect)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


namespace_option = click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NAMESPACE",
    help="Whose jobs.",
)
all_namespaces_option = click.option(
    "-A", "--all-namespaces", is_flag=True, help="The jobs of every namespace."
)
name_argument = click.argument("name", shell_complete=_job_names)
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_job_names)
all_option = click.option("--all", "every", is_flag=True, help="Every job of the namespace.")
