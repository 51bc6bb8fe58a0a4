"""`mpijob doctor`: what this machine, or a cluster, can run."""

import asyncio
import sys

import click

from mpijob.cli import exits
from mpijob.cli.options import namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.render import checks
from mpijob.cli.render.checks import Check, Health
from mpijob.cli.where import Where, meant
from mpijob.generate.settings import NAMESPACE


@click.command("doctor")
@namespace_option
@click.option(
    "--operator-namespace",
    default=NAMESPACE,
    show_default=True,
    metavar="NAMESPACE",
    help="Where the cluster's operator lives.",
)
@output_option("json", "yaml")
def command(output: str | None, namespace: str, operator_namespace: str) -> int:
    """Say what this machine, or a cluster, can run, and what to do about what it cannot.

    Of this machine it looks at the MPIs that are installed, at CPUs, memory and GPUs, at whether
    pods can have namespaces of their own, and at the folder that remembers the jobs. With --cluster
    it looks at the server, the definition of MPIJobs, the operator and its Lease, other operators,
    your rights, nodes and GPUs, queues and the DNS domain. Exits 1 where jobs cannot run at all.
    """
    where = meant()
    if where.is_cluster:
        found = _of_cluster(where, namespace, operator_namespace)
    else:
        from mpijob.cli.checkup import checkup

        found = list(checkup())
    if output:
        click.echo(written(checks.as_json(found), output), nl=False)
    else:
        click.echo(checks.report(found, colour=sys.stdout.isatty()), nl=False)
    return exits.FAILED if any(c.health is Health.BROKEN for c in found) else exits.OK


def _of_cluster(where: Where, namespace: str, operator_namespace: str) -> list[Check]:
    """Return what was found of a cluster; of one that does not answer, that."""
    from mpijob.cli.cluster_checkup import cluster_checkup
    from mpijob.cli.cluster_seen import seen
    from mpijob.cli.cluster_world import explained
    from mpijob.kube.client import Client
    from mpijob.ports import Refused, Unreachable

    place = where.connection()

    async def look() -> list[Check]:
        async with Client(place) as client:
            return list(cluster_checkup(await seen(client, namespace, operator_namespace)))

    try:
        found = asyncio.run(look())
    except (Refused, Unreachable) as failure:
        trouble = explained(failure, place)
        return [Check("server", Health.BROKEN, trouble.message, trouble.hint)]
    return [Check("place", Health.WELL, f"{place.server} ({place.source})"), *found]
