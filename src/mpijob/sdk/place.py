"""What the client needs of a machine or a cluster on which jobs run."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar, Protocol

from mpijob.api import manifest as wire
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.engine.cache import Cache
from mpijob.ports import Change, ChangeType, Logs, NotFound, Objects
from mpijob.sdk.errors import NoSuchJob
from mpijob.sdk.folder import Folder
from mpijob.sdk.shipping import Surroundings
from mpijob.sdk.where import Here, Where


class Running(Protocol):
    """A job that this process has made and stays with until the job ends."""

    @property
    def job(self) -> Manifest | None:
        """The job as it was last seen, None where it is gone."""
        ...

    def interrupt(self, reason: str, message: str) -> None:
        """Have the job end early, for that reason."""
        ...

    async def run(self) -> None:
        """Return once nothing will happen to the job any more."""
        ...


class Place(ABC):
    """Where jobs are made, watched and read."""

    #: The kinds of children by which one is told how a job is.
    kinds: ClassVar[Sequence[Kind]]
    objects: Objects
    logs: Logs
    #: Where jobs are made that say no namespace.
    namespace: str

    @abstractmethod
    def changes(self, kind: Kind, key: Key | None = None) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change, as mappings.

        Of one job alone, or of the place's namespace; others may be told of too.
        """

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

    def warm(self) -> None:  # noqa: B027  # Most have nothing to begin.
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

    async def listed(self, kind: Kind, key: Key | None = None) -> list[Manifest]:
        """Return all objects of a kind, of one job or of the namespace, in order of their names."""
        found = []
        async with aclosing(self.changes(kind, key)) as changes:
            async for change in changes:
                if change.type is ChangeType.SYNCED or isinstance(change.manifest, bytes):
                    break
                if wire.key_of(change.manifest)[0] == (key.namespace if key else self.namespace):
                    found.append(change.manifest)
        return sorted(found, key=wire.key_of)

    async def observed(self, key: Key) -> Observed | None:
        """Return all that is there of one job, None where it is gone."""
        cache = Cache()
        try:
            cache.learn(Kind.MPI_JOB, await self.job(key))
        except NoSuchJob:
            return None
        each = await asyncio.gather(*(self.listed(kind, key) for kind in self.kinds))
        for kind, children in zip(self.kinds, each, strict=True):
            for child in children:
                cache.learn(kind, child)
        return cache.observed(key)


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
