"""`mpijob scale`: another number of workers."""

import click

from mpijob.cli.change import changed
from mpijob.cli.options import name_argument, namespace_option


@click.command("scale")
@name_argument
@namespace_option
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    required=True,
    metavar="COUNT",
    help="How many workers the job is to have.",
)
def command(name: str, namespace: str, replicas: int) -> int:
    """Give a job another number of workers.

    Workers come and go at once; the hostfile and discover_hosts.sh follow. An mpirun that already
    runs keeps the ranks that it has, unless the program is elastic and asks for hosts itself.
    """
    fields = {"spec": {"mpiReplicaSpecs": {"Worker": {"replicas": replicas}}}}
    return changed([name], namespace, fields, f"scaled to {replicas} workers")
