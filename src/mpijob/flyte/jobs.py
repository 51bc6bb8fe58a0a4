"""The v1 MPIJobs of executions, where a cluster keeps them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from mpijob.api import flyte
from mpijob.api.flyte import FlytePhase
from mpijob.cluster.times import moment
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version
from mpijob.kube.client import Client
from mpijob.kube.config import connection
from mpijob.kube.objects import KubeObjects
from mpijob.kube.resources import Paths
from mpijob.ports import Conflict, NotFound, Objects, Unserved


class NotServed(Exception):
    """The cluster serves no MPIJobs of v1; the message says what to do."""


async def create(objects: Objects, job: Manifest) -> None:
    """Make a job. One of that name that is there already is the same: Flyte may ask again.

    Raises:
        NotServed: v1 is not served.
        Refused: the cluster will not have it, and says why.
        Unreachable: no answer came.

    """
    try:
        await objects.create(job)
    except Conflict:
        return
    except Unserved:
        raise NotServed(
            "the cluster serves no MPIJobs of v1, which Flyte's are: "
            "`mpijob install --serve v1 --serve v2beta1`"
        ) from None


async def found(objects: Objects, key: Key) -> Manifest | None:
    """Return a job, None where it is gone. Raises Refused, Unreachable."""
    try:
        return await objects.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
    except NotFound:
        return None


async def delete(objects: Objects, key: Key) -> None:
    """Delete a job with all of its pods, where it is not gone already."""
    job = await found(objects, key)
    if job is not None:
        uid = job["metadata"]["uid"]
        await objects.delete(Ref(Kind.MPI_JOB, key.namespace, key.name), uid=uid)


def told(job: Manifest | None, now: datetime) -> tuple[FlytePhase, str]:
    """Return what Flyte is to make of a job, None for one that is gone, and what to say of it.

    As with Flyte's own backend, a job that nobody begins within a minute has failed.
    """
    if job is None:
        return FlytePhase.FAILED, "the MPIJob was deleted"
    status = job.get("status")
    if flyte.overdue(status, moment(job["metadata"]["creationTimestamp"]), now):
        return FlytePhase.FAILED, (
            "no operator has begun the MPIJob within a minute: is one running, and does it serve "
            "v1? `mpijob doctor --cluster` tells"
        )
    try:
        phase, row = flyte.phase(status), flyte.current(status)
    except flyte.Unreadable as unreadable:
        # Our operator tells of no such thing; another's will say more.
        return FlytePhase.RUNNING, str(unreadable)
    return phase, f"{row.reason or row.type} - {row.message or ''}" if row else "MPIJobCreated"


@asynccontextmanager
async def of_the_cluster() -> AsyncIterator[Objects]:
    """Open the cluster that this process runs in, or the kubeconfig's. Raises ConfigError."""
    async with Client(connection()) as client:
        yield KubeObjects(client, Paths(version=Version.V1))
