"""`mpijob install`: put the operator into a cluster, or bring the one there to this version."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from mpijob.api.crd import NAME as DEFINITION_NAME
from mpijob.api.crd import definition
from mpijob.cli import exits
from mpijob.cli.applying import apply_all
from mpijob.cli.installation_options import installation_options
from mpijob.cli.output import listed_as, output_option
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import cluster_options, meant
from mpijob.core.job import Manifest
from mpijob.generate.operator import installation, namespace
from mpijob.generate.rivals import Rival, rivals
from mpijob.generate.settings import LABELS, Installation
from mpijob.generate.workload import deployment

if TYPE_CHECKING:
    from mpijob.kube.client import Client

_DEPLOYMENTS = "/apis/apps/v1/deployments"


class _Manner(Struct, frozen=True):
    """How to go about it: whether to change anything, wait, or put up with another operator."""

    dry_run: bool
    wait: bool
    timeout_s: float
    force: bool


@click.command("install")
@installation_options
@click.option("--dry-run", is_flag=True, help="Have the server check it all, and change nothing.")
@click.option("--wait", is_flag=True, help="Return when the operator is ready.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits.",
)
@click.option("--force", is_flag=True, help="Install beside another operator for MPIJobs.")
@output_option("yaml", "json", "name")
@cluster_options
def command(*, chosen: Installation, output: str | None, **manner: Any) -> int:
    """Put the operator into a cluster, or bring the one that is there to this version.

    Takes the rights of a cluster's administrator. Where another operator for MPIJobs is at work it
    says which, and does nothing. With -o it prints the objects, asks no cluster, and changes
    nothing. Jobs that are there stay, and are looked after from then on.
    """
    if output is not None:
        click.echo(listed_as(installation(chosen), output), nl=False)
        return exits.OK
    how = _Manner(**manner)

    async def install(client: "Client") -> int:
        await _refuse_rivals(client, chosen, force=how.force)
        await apply_all(client, await _fitted(client, chosen), dry_run=how.dry_run)
        if how.wait and not how.dry_run:
            await _until_ready(client, chosen, how.timeout_s)
        return exits.OK

    return meant().run(install)


async def _refuse_rivals(client: "Client", chosen: Installation, *, force: bool) -> None:
    """Raise Trouble where another operator acts on the same jobs; with `force`, warn of it."""
    from mpijob.kube.apply import listed

    there = [manifest async for manifest in listed(client, _DEPLOYMENTS)]
    found = list(rivals(there, chosen))
    if found and not force:
        raise Trouble("\n".join(map(str, found)), hint=_hint(found), code=exits.CONFLICT)
    for rival in found:
        click.echo(f"warning: {rival}", err=True)


def _hint(found: Sequence[Rival]) -> str:
    remedies = " && ".join(rival.remedy for rival in found)
    return (
        "two that act on one job undo each other's work; have it rest, and its jobs are taken "
        f"over as they run:\n  {remedies}\n"
        "--force installs beside it all the same: an mpi-operator whose Lease is in the same "
        "namespace takes turns with ours"
    )


async def _fitted(client: "Client", chosen: Installation) -> list[Manifest]:
    """Return the objects for a cluster as it is.

    A namespace that others use already is left as it is: the restricted standard would keep their
    pods out. A version that the server has stored objects of stays known to it.
    """
    from mpijob.kube.apply import found, path_of

    crd = await found(client, path_of(definition()))
    stored = ((crd or {}).get("status") or {}).get("storedVersions") or ()
    chosen = replace(chosen, known=tuple(stored))
    for version in sorted(set(stored) - set(chosen.served)):
        click.echo(
            f"warning: {DEFINITION_NAME} has objects stored as {version}, which will not be served",
            err=True,
        )
    space = await found(client, path_of(namespace(chosen)))
    labels = ((space or {}).get("metadata") or {}).get("labels") or {}
    foreign = space is not None and not labels.items() >= LABELS.items()
    return [item for item in installation(chosen) if not (foreign and item["kind"] == "Namespace")]


async def _until_ready(client: "Client", chosen: Installation, timeout_s: float) -> None:
    from mpijob.kube.apply import path_of, rolled_out, until

    manifest = deployment(chosen)
    try:
        await until(client, path_of(manifest), rolled_out, timeout_s)
    except TimeoutError as late:
        where = f"{chosen.namespace} describe deployment,pods"
        raise Trouble(
            f"the operator is not ready after {timeout_s:g} s",
            hint=f"`kubectl -n {where}` tells what keeps it",
            code=exits.TIMED_OUT,
        ) from late
    click.echo(f"the operator is ready: {chosen.namespace}/{manifest['metadata']['name']}")
