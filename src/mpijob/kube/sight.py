"""What one user may see of a cluster's jobs: few requests, each for what is asked alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from mpijob.api import versions
from mpijob.api.manifest import ref_of, uid_of
from mpijob.core import names
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.core.status import ConditionType
from mpijob.core.version import Version
from mpijob.engine.sight import EVERYWHERE, Scope, Sight
from mpijob.kube.client import Client
from mpijob.kube.config import Connection
from mpijob.kube.discovery import newest_served
from mpijob.kube.logs import KubeLogs
from mpijob.kube.objects import KubeObjects
from mpijob.kube.resources import Paths
from mpijob.ports import Change, Unserved

#: Every operator gives its pods the first label, and its launchers' Jobs the second.
_PODS_OF_JOBS = names.OPERATOR_NAME_LABEL
_LAUNCHERS = "app"


class ClusterSight(Sight):
    """A cluster's jobs, and their children as far as they tell how a job is."""

    kinds = (Kind.JOB, Kind.POD)
    objects: KubeObjects

    def __init__(self, client: Client, version: Version) -> None:
        """Jobs are asked for in that `version`."""
        self._client = client
        self._version = version
        self.objects = KubeObjects(client, Paths(version=version))
        self.logs = KubeLogs(client)

    def changes(self, kind: Kind, scope: Scope = EVERYWHERE) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind in that scope, then SYNCED, then every change."""
        paths = Paths(namespace=scope.namespace, version=self._version)
        objects = KubeObjects(
            self._client, paths, _labels(scope), names=_names(scope), is_patient=False
        )
        return objects.mappings(kind)


class ClusterRun:
    """A job on a cluster that somebody stays with: who gives up has it deleted."""

    def __init__(self, sight: Sight, job: Manifest | None = None) -> None:
        """Who begins before the job is there gives it `job` before it is run."""
        #: The job as it was last seen, None where others have deleted it.
        self.job = job
        self.is_deleted = False
        self._sight = sight
        self._given_up = asyncio.Event()

    def interrupt(self, reason: str, message: str) -> None:  # noqa: ARG002  # It is deleted.
        """Have the job deleted."""
        self._given_up.set()

    async def run(self) -> None:
        """Return once the job has ended, or is no longer there."""
        made = self.job
        assert made is not None
        ending = asyncio.create_task(self._until_end(made))
        giving_up = asyncio.create_task(self._given_up.wait())
        try:
            await asyncio.wait({ending, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                ending.result()
                return
        finally:
            for task in (ending, giving_up):
                task.cancel()
            await asyncio.gather(ending, giving_up, return_exceptions=True)
        await self._sight.objects.delete(ref_of(made), uid=uid_of(made))
        self.is_deleted = True

    async def _until_end(self, made: Manifest) -> None:
        async with aclosing(self._sight.life(made)) as life:
            async for self.job in life:
                status = versions.decode(self.job).status
                if status.finished or status.is_true(ConditionType.INVALID):
                    return
        self.job = None


def _labels(scope: Scope) -> dict[Kind, str]:
    """Return the label selectors by which a scope's objects are asked for."""
    if scope.job:
        return {Kind.POD: f"{names.JOB_NAME_LABEL}={scope.job}"}
    selectors = {Kind.POD: _PODS_OF_JOBS, Kind.JOB: _LAUNCHERS}
    return selectors | ({Kind.MPI_JOB: scope.labels} if scope.labels else {})


def _names(scope: Scope) -> dict[Kind, str]:
    """Return the names by which one job's objects are asked for."""
    if not scope.job:
        return {}
    return {Kind.MPI_JOB: scope.job, Kind.JOB: names.launcher(scope.job)}


@asynccontextmanager
async def reached(place: Connection) -> AsyncIterator[tuple[Client, Version]]:
    """Yield a client for a cluster, and the version of MPIJobs to ask for. Raises Unserved."""
    async with Client(place) as client:
        version = await newest_served(client)
        if version is None:
            raise Unserved(f"{place.server} serves no MPIJobs")
        yield client, version
