"""What a command looks at and writes to: the jobs of this machine, or those of a cluster."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime
from difflib import get_close_matches
from typing import ClassVar, Protocol

from mpijob.api import manifest as wire
from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import Where, meant
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.engine.sight import Running, Sight
from mpijob.local.settings import Settings
from mpijob.ports import ChangeType, NotFound


class Interruptible(Running, Protocol):
    """A job that this command has started and stays with; interrupted twice, it ends at once."""

    def catch_signals(self) -> None:
        """Take the signals that end a process as interrupts, on the running loop."""
        ...


class World(Sight, ABC):
    """The jobs and their children, for the time of one command."""

    #: Whether jobs run here, as processes of this user.
    is_here: ClassVar[bool]

    @abstractmethod
    def now(self) -> datetime:
        """Return the time by which jobs are stamped: UTC, whole seconds."""

    @abstractmethod
    async def attend(self, key: Key) -> None:
        """See to it that somebody acts on the job under `key`, after a change of it."""

    @abstractmethod
    async def pods_with_logs(self, key: Key, uid: str) -> list[str]:
        """Return the names of a job's pods that may have logs, in the order of their starts."""

    @abstractmethod
    async def start(self, manifest: Manifest, settings: Settings) -> tuple[Manifest, Interruptible]:
        """Make a job; return it as it is stored, and what stays with it. Raises as `detach`."""

    @abstractmethod
    async def detach(self, manifest: Manifest, settings: Settings) -> Manifest:
        """Make a job that runs by itself, and return it.

        Raises:
            Conflict: there is a job of that name.
            Refused: it breaks rules; the message says all of them.

        """

    def warm(self, settings: Settings) -> None:
        """Begin what can be begun before a job that is to run so is made."""

    async def removed_pods(self, key: Key) -> bool:  # noqa: ARG002  # Who has some says so.
        """Delete the plain pods that were applied under a name; say whether there were any."""
        return False

    async def job(self, key: Key) -> Manifest:
        """Return the job under `key`. Raises Trouble that names one that was perhaps meant."""
        try:
            return await self.objects.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        except NotFound as missing:
            gone = missing
        jobs = [wire.key_of(job) for job in await self.neighbours(key)]
        raise Trouble(
            f"there is no job “{key.name}” in namespace {key.namespace}",
            hint=_meant(key, jobs),
            code=exits.NOT_FOUND,
        ) from gone

    async def neighbours(self, key: Key) -> list[Manifest]:  # noqa: ARG002 (others narrow it)
        """Return the jobs among which the one under `key` was looked for."""
        return await self.listed(Kind.MPI_JOB)

    async def following(
        self, key: Key, tick_s: float | None = None
    ) -> AsyncGenerator[Observed, None]:
        """Yield all that is there of one job, now and whenever that has changed, until it is gone.

        With `tick_s`, it is told again after so many seconds at the latest.
        """
        async with aclosing(self.news(Kind.MPI_JOB, Kind.JOB, Kind.POD, tick_s=tick_s)) as news:
            async for _ in news:
                observed = await self.observed(key)
                if observed is None:
                    return
                yield observed

    async def news(self, *kinds: Kind, tick_s: float | None = None) -> AsyncGenerator[None, None]:
        """Yield at once, and again whenever objects of these kinds have changed since.

        Many changes may make one piece of news. With `tick_s`, news comes after so many seconds
        at the latest.
        """
        changed = asyncio.Event()
        changed.set()
        watches = [asyncio.create_task(self._ring(kind, changed)) for kind in kinds]
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(tick_s):
                        await changed.wait()
                changed.clear()
                yield
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _ring(self, kind: Kind, changed: asyncio.Event) -> None:
        async for change in self.changes(kind):
            if change.type is not ChangeType.SYNCED:
                changed.set()

    async def until_gone(self, job: Manifest) -> None:
        """Return as soon as that very job is no longer there."""
        async for _ in self.life(job):
            pass


def _meant(key: Key, jobs: Iterable[tuple[str, str]]) -> str:
    """Return the hint that goes with a name that no job has."""
    places = [namespace for namespace, name in jobs if name == key.name]
    if places:
        return f"there is one in namespace {places[0]}: add -n {places[0]}"
    near = get_close_matches(key.name, [name for _, name in jobs], n=1)
    return f"did you mean “{near[0]}”?" if near else "`mpijob get -A` lists all jobs"


def opened(where: Where) -> AbstractAsyncContextManager[World]:
    """Open the jobs that a command is about. Entering raises Trouble where that cannot be."""
    if where.is_cluster:
        from mpijob.cli.cluster_world import opened as opened_cluster

        return opened_cluster(where)
    from mpijob.cli.local_world import opened as opened_local

    return opened_local()


def within(command: Callable[[World], Awaitable[int | None]], where: Where | None = None) -> int:
    """Run a command's coroutine in the world that the person means; return its exit code."""
    where = where or meant()

    async def whole() -> int:
        async with opened(where) as world:
            return await command(world) or exits.OK

    return asyncio.run(whole())
