"""What can be seen of jobs, for whoever asks, waits or shows: what is there, and what changes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import ClassVar, Protocol

from msgspec import Struct

from mpijob.api import manifest as wire
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.engine.cache import CHILD_KINDS, Cache
from mpijob.ports import Change, ChangeType, Logs, NotFound, Objects


class Scope(Struct, frozen=True):
    """Which objects somebody wants to see; "" for all.

    Who has to ask for objects asks for no more than these; others may be told of too.
    """

    namespace: str = ""
    job: str = ""
    labels: str = ""


EVERYWHERE = Scope()


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


class Sight:
    """Jobs and their children, seen by somebody who does not act on them."""

    #: The kinds of children by which one is told how a job is.
    kinds: ClassVar[Sequence[Kind]] = CHILD_KINDS
    objects: Objects
    logs: Logs

    def changes(
        self,
        kind: Kind,
        scope: Scope = EVERYWHERE,  # noqa: ARG002  # Who has to ask for objects narrows it.
    ) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change, as mappings."""
        return self.objects.watch(kind)

    async def listed(self, kind: Kind, scope: Scope = EVERYWHERE) -> list[Manifest]:
        """Return all objects of a kind, in order of namespace and name."""
        found = []
        async with aclosing(self.changes(kind, scope)) as changes:
            async for change in changes:
                if change.type is ChangeType.SYNCED or isinstance(change.manifest, bytes):
                    break
                if scope.namespace in ("", wire.key_of(change.manifest)[0]):
                    found.append(change.manifest)
        return sorted(found, key=wire.key_of)

    async def observed(self, key: Key) -> Observed | None:
        """Return all that is there of one job, None where it is gone."""
        try:
            job = await self.objects.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        except NotFound:
            return None
        (found,) = await self.observed_each([job], Scope(*key))
        return found

    async def observed_each(self, jobs: Sequence[Manifest], scope: Scope) -> list[Observed]:
        """Return all that is there of each of these jobs, whose children are in that scope."""
        cache = Cache()
        for job in jobs:
            cache.learn(Kind.MPI_JOB, job)
        each = await asyncio.gather(*(self.listed(kind, scope) for kind in self.kinds))
        for kind, children in zip(self.kinds, each, strict=True):
            for child in children:
                cache.learn(kind, child)
        found = (cache.observed(Key(*wire.key_of(job))) for job in jobs)
        return [observed for observed in found if observed is not None]

    async def life(self, job: Manifest) -> AsyncGenerator[Manifest, None]:
        """Yield that very job as it is, and whenever it has changed, until it is gone.

        It is gone too where a list lacks it, or has a namesake: nobody tells of its end then.
        """
        key, is_there = wire.key_of(job), False
        async with aclosing(self.changes(Kind.MPI_JOB, Scope(*key))) as changes:
            async for change in changes:
                told = change.manifest
                if change.type is ChangeType.SYNCED:
                    if is_there:
                        continue
                    return
                if isinstance(told, bytes) or wire.key_of(told) != key:
                    continue
                is_there = wire.uid_of(told) == wire.uid_of(job)
                if change.type is ChangeType.DELETED or not is_there:
                    return
                yield told
