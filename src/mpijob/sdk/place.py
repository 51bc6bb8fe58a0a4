"""What the client needs of a machine or a cluster on which jobs run."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.engine.sight import Running, Sight
from mpijob.ports import NotFound
from mpijob.sdk.errors import NoSuchJob
from mpijob.sdk.folder import Folder
from mpijob.sdk.shipping import Surroundings
from mpijob.sdk.where import Here, Where


class Place(Sight, ABC):
    """Where jobs are made, watched and read."""

    #: Where jobs are made that say no namespace.
    namespace: str

    @abstractmethod
    async def start(self, job: Manifest) -> Running:
        """Make a job, and return what stays with it. Raises Conflict, Refused, Unreachable."""

    @abstractmethod
    async def detach(self, job: Manifest) -> Manifest:
        """Make a job that runs by itself, and return it. Raises as `start` does."""

    @abstractmethod
    async def remove(self, job: Manifest) -> None:
        """Delete a job with all that was kept of it, where it is not gone already."""

    @abstractmethod
    def new_folder(self) -> Folder:
        """Make a folder for a call."""

    @abstractmethod
    def folder(self, place: str) -> Folder:
        """Return the folder that ranks know by that path or URL."""

    @abstractmethod
    def program(self, folder: Folder) -> tuple[str, ...]:
        """Return what each rank of a call runs."""

    @abstractmethod
    def surroundings(self) -> Surroundings:
        """Return what ranks find where they run."""

    def warm(self) -> None:  # Most have nothing to begin.
        """Begin what can be begun before a job is made."""

    def fitted(self, job: Manifest) -> Manifest:
        """Return a call's job with what it needs in order to run here."""
        return job

    async def job(self, key: Key) -> Manifest:
        """Return the job under `key`. Raises NoSuchJob."""
        try:
            return await self.objects.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        except NotFound:
            raise NoSuchJob(f"there is no job “{key.name}” in namespace {key.namespace}") from None


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[Place]:
    """Open a machine or a cluster. Raises JobError where that cannot be."""
    if isinstance(where, Here):
        from mpijob.sdk.local_place import opened as opened_here

        async with opened_here(where) as place:
            yield place
    else:
        from mpijob.sdk.cluster_place import opened as opened_cluster

        async with opened_cluster(where) as place:
            yield place
