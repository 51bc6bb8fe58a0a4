"""What a command looks at and writes to: the objects of this machine, opened and closed again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from difflib import get_close_matches

from mpijob.api import manifest as wire
from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.engine.cache import CHILD_KINDS, Cache
from mpijob.local import backend
from mpijob.local.backend import Backend
from mpijob.local.home import HomeUnusable
from mpijob.local.runtime import RuntimeFailed
from mpijob.ports import ChangeType, NotFound, Objects

_DOCTOR = "`mpijob doctor` says what this machine lacks"


class World:
    """The jobs and their children, for the time of one command."""

    def __init__(self, local: Backend) -> None:
        self.local = local
        self.objects: Objects = local.objects

    def now(self) -> datetime:
        """Return the time by which jobs are stamped: UTC, whole seconds."""
        return self.local.now()

    async def attend(self, key: Key) -> None:
        """See to it that somebody acts on the job under `key`, after a change of it."""
        await self.local.attend(key)

    async def listed(self, kind: Kind, namespace: str = "") -> list[Manifest]:
        """Return all objects of a kind, in order of namespace and name; "" means everywhere."""
        found = []
        watch = self.objects.watch(kind)
        async for change in watch:
            if change.type is ChangeType.SYNCED or isinstance(change.manifest, bytes):
                break
            if namespace in ("", wire.key_of(change.manifest)[0]):
                found.append(change.manifest)
        await watch.aclose()  # type: ignore[attr-defined]  # Our watches are generators.
        return sorted(found, key=wire.key_of)

    async def job(self, key: Key) -> Manifest:
        """Return the job under `key`. Raises Trouble that names one that was perhaps meant."""
        try:
            return await self.objects.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        except NotFound:
            pass
        jobs = [wire.key_of(job) for job in await self.listed(Kind.MPI_JOB)]
        raise Trouble(
            f"there is no job “{key.name}” in namespace {key.namespace}",
            hint=_meant(key, jobs),
            code=exits.NOT_FOUND,
        )

    async def observed(self, key: Key) -> Observed:
        """Return all that is there of one job. Raises Trouble where there is no such job."""
        cache = Cache()
        cache.learn(Kind.MPI_JOB, await self.job(key))
        for kind in CHILD_KINDS:
            for child in await self.listed(kind):
                cache.learn(kind, child)
        found = cache.observed(key)
        if found is None:
            raise NotFound(f"there is no job “{key.name}” in namespace {key.namespace}")
        return found

    async def until_gone(self, kind: Kind, uid: str) -> None:
        """Return as soon as no object of that kind has that uid."""
        there = False
        async for change in self.objects.watch(kind):
            if isinstance(change.manifest, bytes):
                continue
            if change.type is ChangeType.SYNCED and not there:
                return
            if wire.uid_of(change.manifest) == uid:
                if change.type is ChangeType.DELETED:
                    return
                there = True


def _meant(key: Key, jobs: Iterable[tuple[str, str]]) -> str:
    """Return the hint that goes with a name that no job has."""
    places = [namespace for namespace, name in jobs if name == key.name]
    if places:
        return f"there is one in namespace {places[0]}: add -n {places[0]}"
    near = get_close_matches(key.name, [name for _, name in jobs], n=1)
    return f"did you mean “{near[0]}”?" if near else "`mpijob get -A` lists all jobs"


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    """Open the jobs of this machine. Raises Trouble where that cannot be."""
    try:
        async with backend.opened() as local:
            yield World(local)
    except HomeUnusable as unusable:
        raise Trouble(str(unusable)) from None
    except RuntimeFailed as failure:
        raise Trouble(f"no pod can run here: {failure}", hint=_DOCTOR) from None


def within(command: Callable[[World], Awaitable[int | None]]) -> int:
    """Run a command's coroutine in an open world and return its exit code."""

    async def whole() -> int:
        async with opened() as world:
            return await command(world) or exits.OK

    return asyncio.run(whole())
