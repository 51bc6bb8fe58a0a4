"""`mpijob uninstall`: take the operator out of a cluster; the jobs stay unless told twice."""

from typing import TYPE_CHECKING

import click

from mpijob.api.manifest import resource_name
from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import cluster_options, meant
from mpijob.generate.operator import own, shared
from mpijob.generate.rights import LEASE
from mpijob.generate.rivals import watched_by
from mpijob.generate.settings import NAMESPACE, Installation
from mpijob.generate.workload import deployment

if TYPE_CHECKING:
    from mpijob.kube.client import Client


@click.command("uninstall")
@click.option(
    "--namespace",
    default=NAMESPACE,
    show_default=True,
    metavar="NAMESPACE",
    help="Where the operator lives. The namespace itself stays.",
)
@click.option(
    "--delete-jobs",
    is_flag=True,
    help="Delete every MPIJob of the cluster too, with all that it runs, and the definition.",
)
@click.option("--yes", is_flag=True, help="With --delete-jobs: yes, really.")
@cluster_options
def command(*, namespace: str, delete_jobs: bool, yes: bool) -> int:
    """Take the operator out of a cluster.

    MPIJobs, what they run, their definition and the roles of users stay: an operator that is
    installed later goes on with them. --delete-jobs takes all of that too, once it is said with
    --yes.
    """

    async def uninstall(client: "Client") -> int:
        from mpijob.kube.discovery import job_count

        count = await job_count(client)
        if delete_jobs and not yes:
            raise Trouble(
                f"--delete-jobs would delete {count} MPIJobs of the whole cluster, and what runs",
                hint="say it again with --yes",
                code=exits.INVALID,
            )
        await _remove_operator(client, namespace)
        if delete_jobs:
            await _remove_jobs(client, Installation(namespace))
        elif count:
            click.echo(f"{count} MPIJobs stay, and nobody looks after them", err=True)
        return exits.OK

    return meant().run(uninstall)


async def _remove_operator(client: "Client", namespace: str) -> None:
    """Remove what an installation made for the operator alone: its processes first."""
    from mpijob.kube.apply import found, path_of, remove

    there = await found(client, path_of(deployment(Installation(namespace))))
    watched = watched_by(there) if there else ""
    chosen = Installation(namespace, watched, gang="volcano")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": namespace, "name": LEASE},
    }
    parts = sorted(own(chosen), key=lambda manifest: manifest["kind"] != "Deployment")
    gone = [await remove(client, path_of(manifest)) for manifest in (*parts, lease)]
    for manifest, was_there in zip((*parts, lease), gone, strict=True):
        if was_there:
            click.echo(f"{resource_name(manifest)} deleted")
    if not any(gone):
        click.echo(f"no operator of ours is in namespace {namespace}", err=True)


async def _remove_jobs(client: "Client", chosen: Installation) -> None:
    """Remove the definition, and with it every job, and the roles of users."""
    from mpijob.kube.apply import path_of, remove

    for manifest in shared(chosen):
        if await remove(client, path_of(manifest)):
            click.echo(f"{resource_name(manifest)} deleted")
