"""Which versions of MPIJob an API server serves: that is for whoever installed the definition."""

from collections.abc import AsyncIterator

import msgspec

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.core.version import Version
from mpijob.kube.apply import listed
from mpijob.kube.client import Client
from mpijob.kube.resources import JOBS, Paths
from mpijob.ports import NotFound, Unreachable


class _Resource(msgspec.Struct):
    name: str = ""


class _Resources(msgspec.Struct):
    resources: list[_Resource] = []


async def newest_served(client: Client) -> Version | None:
    """Return the newest version in which MPIJobs are served, None where they are in none.

    Other kinds have versions in the same group, so each version is asked what it has.

    Raises:
        Refused: discovery is not open to us.
        Unreachable: no answer came, or none of an API server.

    """
    for version in reversed(Version):
        path = f"/apis/{version.api_version}"
        try:
            found = msgspec.json.decode(await client.request("GET", path), type=_Resources)
        except NotFound:
            continue
        except msgspec.MsgspecError as odd:
            raise Unreachable(f"{path}: this is no answer of an API server: {odd}") from odd
        if any(resource.name == JOBS for resource in found.resources):
            return version
    return None


async def jobs(client: Client) -> AsyncIterator[Manifest]:
    """Yield every MPIJob, in the newest version in which they are served: none where in none.

    Raises as `newest_served` does.
    """
    version = await newest_served(client)
    if version is not None:
        async for job in listed(client, Paths(version=version).collection(Kind.MPI_JOB)):
            yield job


async def job_count(client: Client) -> int:
    """Return how many MPIJobs there are; none where the cluster does not know them."""
    return len([None async for _ in jobs(client)])
