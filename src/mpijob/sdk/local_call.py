"""A call as a job on this machine: made, watched, passed on, and cleared away."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mpijob.api import children, versions
from mpijob.api.manifest import key_of, ref_of, uid_of
from mpijob.core import names
from mpijob.core.explain import Weight, explain
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import PodView
from mpijob.core.plan import Kind
from mpijob.core.status import ConditionType, JobStatus
from mpijob.local import aftermath, backend
from mpijob.local.backend import Backend
from mpijob.local.settings import Settings, inherited
from mpijob.local.supervisor import Supervisor
from mpijob.ports import ChangeType, Refused
from mpijob.sdk import shipping
from mpijob.sdk.errors import JobFailed, TimedOut
from mpijob.sdk.job import Wanted, manifest
from mpijob.sdk.launcher_output import LauncherOutput
from mpijob.sdk.shipping import Call

#: How much of the launcher's output is told where a job failed without saying why, in bytes.
_LAST_WORDS = 2000


class LocalCall(Struct, frozen=True):
    """A function that is to be called by ranks on this machine, once.

    Args:
        call: The function, and what it is called with.
        wanted: The job that is to call it, but for its program.
        write: Called with what ranks print, in a thread.
        mpi: Which MPI to use; "" for one that fits.

    """

    call: Call
    wanted: Wanted
    write: Callable[[bytes], None]
    mpi: str = ""

    async def results(self) -> list[Any]:
        """Run the job to its end, and return the ranks' results.

        Cancelled, the job is ended with all of its processes. A job that failed is kept, for
        `mpijob why` and `mpijob logs`.

        Raises:
            JobError: The job failed, by no exception of the function's.
            BaseException: What the function raised; its cause says where.

        """
        content = shipping.pickled(self.call)
        settings = Settings(
            folder=os.getcwd(),
            environment=inherited(os.environ),
            oversubscribe=True,
            mpi=self.mpi,
        )
        async with backend.opened() as local:
            local.warm(settings)
            with _folder(local.home.path) as folder:
                shipping.ship(self.call, content, folder, shipping.import_path())
                program = (sys.executable, str(folder / "rank.py"), str(folder))
                job = manifest(replace(self.wanted, program=program))
                try:
                    supervisor = local.create(job, settings)
                except Refused as refusal:
                    raise JobFailed(f"the job cannot be made: {refusal}") from None
                return await self._followed(local, supervisor, folder)

    async def _followed(self, local: Backend, supervisor: Supervisor, folder: Path) -> list[Any]:
        """Return the results of a job once it has ended; clear it away, unless it failed."""
        job = supervisor.job
        assert job is not None
        key = Key(*key_of(job))
        heard = _Ear(self.write)
        output = LauncherOutput(local.logs, key.namespace, lambda: None, write=heard.hear)
        try:
            async with _passing_on(local, key, output):
                await _to_the_end(supervisor)
        except BaseException:
            await _cleared(local, job)
            raise
        status = versions.decode(supervisor.job or job).status
        if not status.is_true(ConditionType.SUCCEEDED):
            raised = shipping.failure(folder)
            if raised is None:
                raise _failed(local, key, status, self.wanted, heard)
            what, place = raised
            raise what from (None if place is what else place)
        try:
            return shipping.results(self.call, folder)
        finally:
            await _cleared(local, job)


class _Ear:
    """Passes output on, and remembers the end of it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.last = b""

    def hear(self, piece: bytes) -> None:
        """Pass on what was written."""
        self.last = (self.last + piece)[-_LAST_WORDS:]
        self._write(piece)


@contextlib.contextmanager
def _folder(home: Path) -> Any:
    """Yield a new folder for a call, in the user's home; it is gone afterwards."""
    calls = home / "calls"
    calls.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=calls, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def _to_the_end(supervisor: Supervisor) -> None:
    """Run a job; where this is cancelled, end it first."""
    running = asyncio.create_task(supervisor.run())
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        supervisor.interrupt("Interrupted", "the call was cancelled, and the job with it")
        await running
        raise


@asynccontextmanager
async def _passing_on(local: Backend, key: Key, output: LauncherOutput) -> AsyncIterator[None]:
    """Pass on what the job's launcher writes; on leaving, what is left of it."""
    looking = asyncio.create_task(_look(local, key, output))
    writing = asyncio.create_task(output.run())
    try:
        yield
        output.see(_launcher_pods(local, key))
        output.close()
        await writing
    finally:
        looking.cancel()
        writing.cancel()
        await asyncio.gather(looking, writing, return_exceptions=True)


async def _look(local: Backend, key: Key, output: LauncherOutput) -> None:
    """Tell of the job's launcher pods whenever a pod has changed."""
    async with aclosing(local.objects.watch(Kind.POD)) as changes:  # type: ignore[type-var]
        async for change in changes:
            if change.type is not ChangeType.SYNCED:
                output.see(_launcher_pods(local, key))


def _launcher_pods(local: Backend, key: Key) -> list[PodView]:
    """Return the views of the launcher's pods."""
    launcher = Kind.JOB.value, names.launcher(key.name)
    seen = (
        children.seen(Kind.POD, pod) for pod in local.journal.store.list(Kind.POD, key.namespace)
    )
    return [
        one.view
        for one in seen
        if (one.owner_kind, one.owner_name) == launcher and isinstance(one.view, PodView)
    ]


async def _cleared(local: Backend, job: Manifest) -> None:
    """Remove a job that nobody needs any longer, with all that was kept of it."""
    await local.objects.delete(ref_of(job), uid=uid_of(job))
    await local.attend(Key(*key_of(job)))


def _failed(local: Backend, key: Key, status: JobStatus, wanted: Wanted, heard: _Ear) -> JobFailed:
    """Return what is to be said of a job that failed without a rank having said why."""
    failed = status.condition(ConditionType.FAILED) or status.condition(ConditionType.INVALID)
    reason = failed.reason if failed else "unknown"
    if reason == "DeadlineExceeded":
        return TimedOut(f"job {key.name} took longer than {wanted.timeout_s} s, and was ended")
    seen = aftermath.observed(local.journal.store, key)
    facts = [] if seen is None else explain(seen)
    causes = [f"{one.subject} {one.what}" for one in facts if one.weight is Weight.CAUSE]
    advice = [f"→ {one.advice}" for one in facts if one.advice]
    words = heard.last.decode(errors="replace").strip()
    said = [*causes, *advice, *([f"it said last:\n{words}"] if words else [])]
    told = "".join(f"\n  {line}" for line in dict.fromkeys(said))
    return JobFailed(f"job {key.name} failed ({reason}){told}\n  mpijob why {key.name} tells more")
