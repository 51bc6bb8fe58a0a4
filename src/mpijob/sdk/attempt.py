"""One attempt at a call: a job that is made, stayed with, passed on, and cleared away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mpijob.api import children, versions
from mpijob.api.manifest import key_of
from mpijob.core import names
from mpijob.core.explain import Weight, explain
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import PodView
from mpijob.core.options import CALL
from mpijob.core.plan import Kind
from mpijob.core.status import ConditionType, JobStatus
from mpijob.engine.sight import Running, Scope
from mpijob.ports import ChangeType, Refused
from mpijob.sdk import shipping
from mpijob.sdk.errors import JobFailed, TimedOut
from mpijob.sdk.folder import Folder
from mpijob.sdk.job import Wanted, manifest
from mpijob.sdk.launcher_output import LauncherOutput
from mpijob.sdk.place import Place
from mpijob.sdk.progress import Progress, follow, progress
from mpijob.sdk.shipping import Call
from mpijob.sdk.state import state_of

#: How much of the launcher's output is told where a job failed without saying why, in bytes.
_LAST_WORDS = 2000


class Attempt(Struct, frozen=True):
    """A function that is to be called by the ranks of one job.

    Args:
        place: Where.
        call: The function, and what it is called with.
        content: What `shipping.pickled` made of it.
        wanted: The job that is to call it, but for its program.
        write: Called with what ranks print, in a thread.
        tell: Called with what hinders the job, a line each, once.

    """

    place: Place
    call: Call
    content: bytes
    wanted: Wanted
    write: Callable[[bytes], None]
    tell: Callable[[str], None] = lambda _: None

    async def results(self) -> list[Any]:
        """Run the job to its end, and return the ranks' results.

        Cancelled, the job is ended with all of its processes. A job that failed is kept, for
        `mpijob why` and `mpijob logs`.

        Raises:
            JobError: The job failed, by no exception of the function's.
            BaseException: What the function raised; its cause says where.

        """
        folder = await asyncio.to_thread(self.place.new_folder)
        try:
            running = await self._made(self.place.start, folder)
            assert running.job is not None
            return await self._followed(running, running.job, folder)
        finally:
            await asyncio.to_thread(folder.remove)

    async def submitted(self) -> Manifest:
        """Make a job that runs by itself, and return it; its folder stays until it is deleted."""
        folder = await asyncio.to_thread(self.place.new_folder)
        try:
            made: Manifest = await self._made(self.place.detach, folder)
        except BaseException:
            await asyncio.to_thread(folder.remove)
            raise
        return made

    # How it is done.

    async def _made(self, make: Callable[[Manifest], Any], folder: Folder) -> Any:
        """Return what `make` makes of the job. Raises JobFailed where it is refused."""
        around = self.place.surroundings()
        await asyncio.to_thread(shipping.ship, self.call, self.content, folder, around)
        job = manifest(replace(self.wanted, program=self.place.program(folder)))
        job["metadata"]["annotations"] = {CALL: folder.place}
        try:
            return await make(self.place.fitted(job))
        except Refused as refusal:
            raise JobFailed(f"the job cannot be made: {refusal}") from None

    async def _followed(self, running: Running, job: Manifest, folder: Folder) -> list[Any]:
        """Return the results of a job once it has ended; clear it away, unless it failed."""
        key = Key(*key_of(job))
        try:
            status, words = await followed(self.place, running, key, self.write, self.tell)
        except asyncio.CancelledError:
            await self.place.remove(job)
            raise
        if not status.is_true(ConditionType.SUCCEEDED):
            await self._raise(status, key, folder, words)
        try:
            return await asyncio.to_thread(shipping.results, folder)
        finally:
            await self.place.remove(job)

    async def _raise(self, status: JobStatus, key: Key, folder: Folder, words: bytes) -> None:
        """Raise what made a job fail."""
        raised = await asyncio.to_thread(shipping.failure, folder)
        if raised is None:
            raise await failed(self.place, key, status, words)
        what, place = raised
        raise what from (None if place is what else place)


class _Ear:
    """Passes output on, and remembers the end of it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.last = b""

    def hear(self, piece: bytes) -> None:
        """Pass on what was written."""
        self.last = (self.last + piece)[-_LAST_WORDS:]
        self._write(piece)


async def failed(place: Place, key: Key, status: JobStatus, words: bytes) -> JobFailed:
    """Return what is to be said of a job that failed without a rank having said why.

    Args:
        place: Where it ran.
        key: Which it was.
        status: How it ended.
        words: What its launcher wrote last.

    """
    ended = status.condition(ConditionType.FAILED) or status.condition(ConditionType.INVALID)
    reason = ended.reason if ended else "not finished"
    if reason == "DeadlineExceeded":
        return TimedOut(f"job {key.name} took longer than it may, and was ended")
    seen = await place.observed(key)
    facts = () if seen is None else explain(seen)
    causes = [f"{one.subject} {one.what}" for one in facts if one.weight is Weight.CAUSE]
    advice = [f"→ {one.advice}" for one in facts if one.advice]
    last = words.decode(errors="replace").strip()
    said = [*causes, *advice, *([f"it wrote last:\n{last}"] if last else [])]
    told = "".join(f"\n  {line}" for line in dict.fromkeys(said))
    return JobFailed(
        f"job {key.name} failed ({reason}){told}\n  `mpijob why {key.name}` tells more"
    )


async def followed(
    place: Place,
    running: Running,
    key: Key,
    write: Callable[[bytes], None],
    tell: Callable[[str], None],
) -> tuple[JobStatus, bytes]:
    """Stay with a job until it has ended; return how, and what its launcher wrote last.

    Cancelled, the job is ended with all of its processes. Raises JobFailed where it is deleted.

    Args:
        place: Where it runs.
        running: Who stays with it.
        key: Which it is.
        write: Called with what its launcher prints, in a thread.
        tell: Called with what hinders it, a line each, once.

    """
    heard, shown = _Ear(write), progress()
    async with _passing_on(place, key, heard.hear, tell, shown):
        await _to_the_end(running)
    if running.job is None:
        raise JobFailed(f"job {key.name} was deleted while it ran")
    # Who follows the job may not have been told of its end yet.
    shown.show(state_of(running.job))
    return versions.decode(running.job).status, heard.last


async def _to_the_end(running: Running) -> None:
    """Return when a job has ended; where this is cancelled, end it first."""
    ending = asyncio.create_task(running.run())
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        running.interrupt("Interrupted", "the call was cancelled, and the job with it")
        await ending
        raise


@asynccontextmanager
async def _passing_on(
    place: Place,
    key: Key,
    write: Callable[[bytes], None],
    tell: Callable[[str], None],
    shown: Progress,
) -> AsyncIterator[None]:
    """Show how a job comes along and pass on what its launcher writes; on leaving, the rest."""
    output = LauncherOutput(place.logs, key.namespace, shown.stop, write=write)
    looking = [
        asyncio.create_task(_look(place, key, output, _Once(tell))),
        asyncio.create_task(follow(place, key, shown)),
    ]
    writing = asyncio.create_task(output.run())
    try:
        yield
        output.see(launcher_pods(await place.listed(Kind.POD, Scope(*key)), key))
        output.close()
        await writing
    finally:
        for task in (*looking, writing):
            task.cancel()
        await asyncio.gather(*looking, writing, return_exceptions=True)
        shown.stop()


async def _look(place: Place, key: Key, output: LauncherOutput, tell: "_Once") -> None:
    """Tell of the job's launcher pods whenever one has changed, and of pods that are stuck."""
    async with aclosing(place.changes(Kind.POD, Scope(*key))) as changes:
        async for change in changes:
            pod = change.manifest
            if change.type is ChangeType.SYNCED or isinstance(pod, bytes):
                continue
            output.see(launcher_pods([pod], key))
            if _is_stuck(pod) and (seen := await place.observed(key)) is not None:
                for fact in explain(seen):
                    if fact.weight is Weight.CAUSE:
                        tell(
                            f"{fact.subject} {fact.what}" + f" ({fact.advice})" * bool(fact.advice)
                        )


class _Once:
    """Tells each thing once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def __call__(self, text: str) -> None:
        """Tell it, unless it was told before."""
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


#: Why a container waits that will soon be started.
_ON_ITS_WAY = ("ContainerCreating", "PodInitializing")


def _is_stuck(pod: Manifest) -> bool:
    """Say whether a pod does not come along: it fits nowhere, or a container cannot be started."""
    status = pod.get("status") or {}
    rows = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    waits = [row.get("state", {}).get("waiting", {}).get("reason", "") for row in rows]
    unplaced = any(
        row.get("type") == "PodScheduled" and row.get("reason") == "Unschedulable"
        for row in status.get("conditions") or ()
    )
    return unplaced or any(reason and reason not in _ON_ITS_WAY for reason in waits)


def launcher_pods(pods: list[Manifest], key: Key) -> list[PodView]:
    """Return the views of those pods that are a job's launcher's."""
    launcher = key.namespace, Kind.JOB.value, names.launcher(key.name)
    seen = (children.seen(Kind.POD, pod) for pod in pods)
    return [
        one.view
        for one in seen
        if (one.key.namespace, one.owner_kind, one.owner_name) == launcher
        and isinstance(one.view, PodView)
    ]
