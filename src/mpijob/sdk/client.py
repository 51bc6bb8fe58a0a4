"""Jobs of this machine or of a cluster, from Python: one client, and a face of it without `await`.

How it is used::

    client = Client()                       # or Client(Cluster(context="lab"))
    state = client.submit("job.yaml")       # a file, a manifest, or a task and its arguments
    for line in client.logs(state.name, follow=True): ...
    client.wait(state.name)
    client.result(state.name)               # of a task
    client.delete(state.name)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from mpijob import jobfile
from mpijob.api import events as wire
from mpijob.api import manifest as manifests
from mpijob.api import new_job, versions
from mpijob.api.events import EventView
from mpijob.api.new_job import NewJob
from mpijob.core.job import Key, Manifest
from mpijob.core.options import CALL
from mpijob.core.plan import Kind, Ref
from mpijob.core.status import ConditionType
from mpijob.engine.sight import Scope
from mpijob.ports import ChangeType, NotFound, Refused
from mpijob.sdk import shipping
from mpijob.sdk.attempt import failed, followed, launcher_pods
from mpijob.sdk.calling import note
from mpijob.sdk.errors import JobError, JobFailed, NoSuchJob
from mpijob.sdk.launcher_output import to_stdout
from mpijob.sdk.place import Place, opened
from mpijob.sdk.state import JobState, state_of
from mpijob.sdk.tasks import Task
from mpijob.sdk.waiting import sync_face
from mpijob.sdk.where import Here, Where, meant

Made = TypeVar("Made")

#: What can be run: a task, a command as a job, a path of a job file, or a manifest.
Runnable = Task[Any, Any] | NewJob | str | Path | Mapping[str, Any]


class AsyncClient:
    """What one may do with the jobs of a machine or a cluster.

    All methods raise JobError where the place will not do, and NoSuchJob where they name a job that
    is not there.
    """

    def __init__(self, where: Where | None = None, *, namespace: str = "") -> None:
        """Speak of the jobs there.

        Args:
            where: `Here()`, or a `Cluster(…)`; None asks the environment.
            namespace: Whose jobs; "" for the place's own.

        """
        self.where = where or meant()
        self.namespace = namespace

    async def submit(self, job: Runnable, *args: Any, **kwargs: Any) -> JobState:
        """Make a job that runs by itself, and return it as it is made.

        Args:
            job: A task, a command as a `NewJob`, the path of a job file, or a manifest.
            args: What a task's function is called with.
            kwargs: The same, by name.

        """
        async with self._opened(job) as place:
            if isinstance(job, Task):
                return state_of(await job.calling(args, kwargs).submitted(place))
            return state_of(await _sound(place.detach(self._placed(place, job))))

    async def run(self, job: Runnable, *args: Any, **kwargs: Any) -> Any:
        """Run a job to its end, its output passed on; return its state, or a task's result.

        Raises:
            JobFailed: The job has not succeeded.
            BaseException: What a task's function raised.

        """
        if isinstance(job, Task):
            terms = replace(job.terms, where=self.where)
            return await Task(job.function, terms).run(*args, **kwargs)
        async with self._opened(job) as place:
            running = await _sound(place.start(self._placed(place, job)))
            assert running.job is not None
            key = Key(*manifests.key_of(running.job))
            await followed(place, running, key, to_stdout, note)
            return await _ended(place, running.job)

    async def wait(self, name: str, *, timeout_s: float | None = None) -> JobState:
        """Return how a job has ended, once it has, well or badly.

        Raises:
            TimeoutError: It has not, after so many seconds.

        """
        async with self._opened() as place, asyncio.timeout(timeout_s):
            return state_of(await self._over(place, name))

    async def logs(self, name: str, *, follow: bool = False) -> AsyncIterator[str]:
        """Yield what a job's launcher has written, in pieces as they were written.

        Args:
            name: Which job.
            follow: Go on with what it writes until the job has ended.

        """
        async with self._opened() as place:
            key = Key(place.namespace, name)
            await place.job(key)
            pods = launcher_pods(await place.listed(Kind.POD, Scope(*key)), key)
            if not pods and follow:
                pods = await _first_launcher(place, key)
            for pod in pods:
                ref = Ref(Kind.POD, key.namespace, pod.name)
                async for piece in _read(place, ref, follow=follow):
                    yield piece.decode(errors="replace")

    async def events(self, name: str) -> list[EventView]:
        """Return what happened to a job and its pods, in order."""
        async with self._opened() as place:
            key = Key(place.namespace, name)
            await place.job(key)
            seen = map(wire.view, await place.listed(Kind.EVENT, Scope(place.namespace)))
            return wire.in_order(one for one in seen if wire.concerns(one, key.namespace, name))

    async def result(self, name: str) -> Any:
        """Return what a task's function returned on rank 0, once its job has ended.

        Raises:
            JobFailed: The job has not succeeded, or is none of a task.
            BaseException: What the function raised; its cause is a RankFailed.

        """
        async with self._opened() as place:
            job = await self._over(place, name)
            at = _call_folder(job)
            if not at:
                raise JobFailed(f"job {name} calls no function, and so has no result")
            folder = place.folder(at)
            raised = await asyncio.to_thread(shipping.failure, folder)
            if raised is not None:
                what, told = raised
                raise what from (None if told is what else told)
            await _ended(place, job)
            return (await asyncio.to_thread(shipping.results, folder))[0]

    async def delete(self, name: str) -> None:
        """Delete a job with all that was kept of it; where it is gone, do nothing."""
        async with self._opened() as place:
            try:
                job = await place.job(Key(place.namespace, name))
            except NoSuchJob:
                return
            await place.remove(job)
            at = _call_folder(job)
            if at:
                await asyncio.to_thread(place.folder(at).remove)

    async def list(self) -> list[JobState]:
        """Return all jobs of the namespace, in order of their names."""
        async with self._opened() as place:
            return [
                state_of(job) for job in await place.listed(Kind.MPI_JOB, Scope(place.namespace))
            ]

    # How it is done.

    @asynccontextmanager
    async def _opened(self, job: Runnable | None = None) -> AsyncIterator[Place]:
        """Open the place, in this client's namespace, and for a job file in the file's folder."""
        async with opened(_beside(self.where, job)) as place:
            place.namespace = self.namespace or place.namespace
            yield place

    def _placed(self, place: Place, job: NewJob | str | Path | Mapping[str, Any]) -> Manifest:
        """Return the manifest that is meant, in a namespace. Raises JobError for a bad file."""
        if isinstance(job, Mapping):
            manifest: Manifest = job
        elif isinstance(job, NewJob):
            manifest = new_job.manifest(job)
        else:
            try:
                manifest = jobfile.read(str(job)).manifest
            except jobfile.Invalid as invalid:
                raise JobError("\n".join(map(str, invalid.complaints))) from None
        said = manifests.key_of(manifest)[0]
        return manifests.renamed(manifest, namespace=said or place.namespace)

    async def _over(self, place: Place, name: str) -> Manifest:
        """Return a job once it has ended. Raises NoSuchJob, also where it goes meanwhile."""
        job = await place.job(Key(place.namespace, name))
        async with aclosing(place.life(job)) as life:
            async for told in life:
                if state_of(told).is_over:
                    return told
        raise NoSuchJob(f"job {name} was deleted")


#: The same for code without a loop: each method runs to its end, and `logs` is a plain iterator.
Client = sync_face(AsyncClient)


def _beside(where: Where, job: Runnable | None) -> Where:
    """Return where a job runs: one of a file, in the file's folder, as its relative paths mean."""
    if isinstance(where, Here) and not where.folder and isinstance(job, str | Path):
        return replace(where, folder=str(Path(job).absolute().parent))
    return where


async def _sound(making: Awaitable[Made]) -> Made:
    """Return what is made of a job. Raises JobFailed where it is refused."""
    try:
        return await making
    except Refused as refusal:
        raise JobFailed(f"the job cannot be made: {refusal}") from None


async def _ended(place: Place, job: Manifest) -> JobState:
    """Return how a job has ended. Raises JobFailed where that is not well."""
    status = versions.decode(job).status
    if not status.is_true(ConditionType.SUCCEEDED):
        raise await failed(place, Key(*manifests.key_of(job)), status, b"")
    return state_of(job)


def _call_folder(job: Manifest) -> str:
    annotations: Mapping[str, str] = job["metadata"].get("annotations") or {}
    return annotations.get(CALL, "")


async def _read(place: Place, pod: Ref, *, follow: bool) -> AsyncIterator[bytes]:
    """Yield a pod's log; a pod without one has none."""
    try:
        async for piece in place.logs.read(pod, follow=follow):
            yield piece
    except (NotFound, FileNotFoundError):
        return


async def _first_launcher(place: Place, key: Key) -> Any:
    """Return the views of a job's first launcher pod, once it is there."""
    async with aclosing(place.changes(Kind.POD, Scope(*key))) as changes:
        async for change in changes:
            if change.type is ChangeType.SYNCED or isinstance(change.manifest, bytes):
                continue
            found = launcher_pods([change.manifest], key)
            if found:
                return found
    return []
