"""The jobs of a cluster, as a world of commands: few requests, each for what is asked alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import msgspec

from mpijob.api import manifest as wire
from mpijob.cli import exits
from mpijob.cli.cluster_run import ForegroundRun
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import Where
from mpijob.cli.world import Interruptible, World
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind
from mpijob.engine.cache import Cache
from mpijob.engine.sight import Scope
from mpijob.kube.config import Connection
from mpijob.kube.sight import ClusterSight, reached
from mpijob.local.settings import Settings
from mpijob.ports import (
    ChangeType,
    Forbidden,
    Unknown,
    Unreachable,
    Unserved,
)


class ClusterWorld(ClusterSight, World):
    """What one user may see and do on a cluster; an operator there acts on the jobs."""

    is_here = False

    def now(self) -> datetime:
        """Return this machine's time: UTC, whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)

    async def attend(self, key: Key) -> None:
        """Do nothing: the operator watches."""

    async def neighbours(self, key: Key) -> list[Manifest]:
        """Return the jobs of that namespace; whether there are others is not everybody's to see."""
        return await self.listed(Kind.MPI_JOB, Scope(key.namespace))

    async def following(
        self, key: Key, tick_s: float | None = None
    ) -> AsyncGenerator[Observed, None]:
        """Yield all that is there of one job, now and whenever it changes: one watch a kind."""
        follower = _Follower(self, Scope(key.namespace, key.name))
        watches = [asyncio.create_task(follower.follow(kind)) for kind in follower.unsynced]
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(tick_s):
                        await follower.changed.wait()
                follower.changed.clear()
                for watch in watches:
                    if watch.done():
                        watch.result()
                if follower.unsynced:
                    continue
                observed = follower.cache.observed(key)
                if observed is None:
                    return
                yield observed
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def pods_with_logs(self, key: Key, uid: str) -> list[str]:  # noqa: ARG002
        """Return the names of the job's pods, in the order in which they were made."""
        pods = await self.listed(Kind.POD, Scope(key.namespace, key.name))
        pods.sort(key=lambda pod: pod["metadata"]["creationTimestamp"])
        return [wire.key_of(pod)[1] for pod in pods]

    async def start(self, manifest: Manifest, settings: Settings) -> tuple[Manifest, Interruptible]:
        """Make a job, and return what watches it."""
        run = ForegroundRun(self)
        # From before it is there: who interrupts us in this very moment wants it gone as well.
        run.catch_signals()
        run.job = made = await self.detach(manifest, settings)
        return made, run

    async def detach(
        self,
        manifest: Manifest,
        settings: Settings,  # noqa: ARG002 (they are about one machine)
    ) -> Manifest:
        """Make a job, and return it."""
        return await self.objects.made(manifest)

    async def until_gone(self, job: Manifest) -> None:
        """Return as soon as that very job is no longer there, nor any pod that it had."""
        scope = Scope(*wire.key_of(job))
        pods = {wire.uid_of(pod) for pod in await self.listed(Kind.POD, scope)}
        await super().until_gone(job)
        there: set[str] = set()
        async for change in self.changes(Kind.POD, scope):
            if change.type is ChangeType.SYNCED:
                pods &= there
            elif not isinstance(change.manifest, bytes):
                uid = wire.uid_of(change.manifest)
                there.add(uid)
                if change.type is ChangeType.DELETED:
                    pods.discard(uid)
                    there.discard(uid)
            if change.type in (ChangeType.SYNCED, ChangeType.DELETED) and not pods & there:
                return


class _Follower:
    """A job's world, kept up to date by watches of it alone."""

    def __init__(self, world: ClusterWorld, scope: Scope) -> None:
        self._world = world
        self._scope = scope
        self.cache = Cache()
        self.changed = asyncio.Event()
        self.unsynced = {Kind.MPI_JOB, *world.kinds}

    async def follow(self, kind: Kind) -> None:
        """Keep the cache up to date with one kind; raises what its first list raises."""
        try:
            async for change in self._world.changes(kind, self._scope):
                if change.type is ChangeType.SYNCED:
                    self.unsynced.discard(kind)
                else:
                    self.cache.apply(kind, change)
                self.changed.set()
        finally:
            self.changed.set()


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[World]:
    """Open the jobs of a cluster; what it will not do is said in words. Raises Trouble."""
    place = where.connection()
    try:
        async with reached(place) as there:
            yield ClusterWorld(*there)
    except (Unserved, Unknown, Forbidden, Unreachable, msgspec.MsgspecError) as failure:
        raise explained(failure, place) from failure


def explained(failure: Exception, place: Connection) -> Trouble:
    """Return what to say of a cluster that does not do what a command needs."""
    match failure:
        case Unserved():
            return Trouble(
                f"the cluster at {place.server} does not know MPIJobs",
                hint="`mpijob install` puts their definition and the operator there",
                code=exits.NOT_FOUND,
            )
        case Unknown():
            return Trouble(
                f"{place.server} does not know who you are: the credentials of {place.source} "
                "are missing, wrong or expired",
                hint="log in anew, as your cluster's administrator says, or choose a --context",
            )
        case Forbidden():
            return Trouble(
                str(failure),
                hint="ask for that right; `mpijob doctor --cluster` lists those that you have",
            )
        case _:
            return Trouble(
                f"no good answer from {place.server} ({place.source}): {failure}",
                hint="is it up, and the address right? `mpijob doctor --cluster` tells more",
            )
