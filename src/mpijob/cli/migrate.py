"""`mpijob migrate`: what older versions a cluster still has, and an end to those in its storage."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from mpijob.api import versions
from mpijob.api.convert import converted
from mpijob.api.crd import STORED, definition
from mpijob.api.manifest import ref_of, version_of
from mpijob.cli import exits
from mpijob.cli.render.jobs import state
from mpijob.cli.render.table import Row, table
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import cluster_options, meant
from mpijob.core.job import Manifest, Rejected
from mpijob.core.version import Version

if TYPE_CHECKING:
    from mpijob.kube.client import Client

COLUMNS = ("NAMESPACE", "NAME", "WRITTEN IN", "STATE", "SAYS MORE")


@click.command("migrate")
@click.option("--yes", is_flag=True, help="Have all jobs stored anew, and forget older versions.")
@cluster_options
def command(*, yes: bool) -> int:
    """Show which versions of MPIJob a cluster has, and what is said in older ones alone.

    Jobs stay what they are: whichever version one was written in, in its ways it is looked after.
    For each job that is not of v2beta1 it is told what v2beta1 cannot say, as `mpijob convert`
    does. With --yes the server stores every job anew, and forgets the versions that it had stored
    before, so that `mpijob install` can leave them out.
    """

    async def migrate(client: "Client") -> int:
        from mpijob.kube.discovery import jobs as served

        crd = await _definition(client)
        jobs = [job async for job in served(client)]
        rows = list(told(jobs))
        if rows:
            click.echo(table(COLUMNS, rows, colour=sys.stdout.isatty()), nl=False)
        before = (crd.get("status") or {}).get("storedVersions") or [STORED]
        if before == [STORED]:
            click.echo(f"every job is stored as {STORED}", err=True)
        elif yes:
            await _store_anew(client, jobs)
            click.echo(f"{len(jobs)} jobs are stored as {STORED}, and no other version is known")
        else:
            click.echo(f"stored as {', '.join(before)}; --yes stores all as {STORED}", err=True)
        return exits.OK

    return meant().run(migrate)


def told(jobs: Iterable[Manifest]) -> Iterator[Row]:
    """Yield a row for each job that was written in an older version, and for what it alone says."""
    for manifest in jobs:
        job = versions.decode(manifest)
        if job.identity.written_in is Version.V2BETA1:
            continue
        row = {
            "NAMESPACE": job.identity.key.namespace,
            "NAME": job.identity.key.name,
            "WRITTEN IN": job.identity.written_in.value,
            "STATE": state(job),
        }
        for line in _more(manifest, job.identity.written_in) or ("",):
            yield {**row, "SAYS MORE": line}
            row = dict.fromkeys(row, "")


def _more(manifest: Manifest, version: Version) -> tuple[str, ...]:
    """Return what a job says that v2beta1 cannot, or why it cannot be read."""
    made = converted({**manifest, "apiVersion": version.api_version}, Version.V2BETA1)
    return tuple(map(str, made.problems)) if isinstance(made, Rejected) else made.lost


async def _definition(client: "Client") -> Manifest:
    """Return the definition of MPIJobs. Raises Trouble where there is none that stores v2beta1."""
    from mpijob.kube.apply import found, path_of

    crd = await found(client, path_of(definition()))
    rows = ((crd or {}).get("spec") or {}).get("versions") or ()
    if crd is None or STORED not in (row["name"] for row in rows if row.get("storage")):
        raise Trouble(
            f"the cluster has no definition of MPIJobs that stores {STORED}",
            hint="`mpijob install` puts one there, and adopts the jobs of another",
            code=exits.NOT_FOUND,
        )
    return crd


async def _store_anew(client: "Client", jobs: Iterable[Manifest]) -> None:
    """Have the server write every job as it is, which it does in the version that it stores.

    A job that somebody wrote or removed meanwhile needs nothing more.
    """
    from mpijob.kube.apply import path_of
    from mpijob.kube.client import MERGE_PATCH
    from mpijob.kube.objects import KubeObjects
    from mpijob.kube.resources import Paths
    from mpijob.ports import Conflict, NotFound

    for job in jobs:
        objects = KubeObjects(client, Paths(version=versions.API_VERSIONS[job["apiVersion"]]))
        try:
            await objects.patch(ref_of(job), {}, version=version_of(job))
        except (Conflict, NotFound):
            continue
    path = f"{path_of(definition())}/status"
    body = f'{{"status":{{"storedVersions":["{STORED}"]}}}}'.encode()
    await client.request("PATCH", path, body=body, content_type=MERGE_PATCH)
