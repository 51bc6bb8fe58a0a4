"""A job of an execution on this machine, stayed with until it ends."""

from collections.abc import Callable

from mpijob.core.job import Key, Manifest
from mpijob.core.status import ConditionType
from mpijob.ports import Refused
from mpijob.sdk.attempt import failed, followed
from mpijob.sdk.errors import JobFailed
from mpijob.sdk.place import opened
from mpijob.sdk.where import Here


async def run(job: Manifest, write: Callable[[bytes], None], tell: Callable[[str], None]) -> None:
    """Run a job to its end. Cancelled, it is ended with all of its processes.

    A job that succeeded is removed; one that failed is kept, for `mpijob why` and `mpijob logs`.

    Args:
        job: Its manifest, with a name of its own.
        write: Called with what its launcher prints, in a thread.
        tell: Called with what hinders the job, a line each.

    Raises:
        JobError: it failed, or cannot be run here.

    """
    metadata = job["metadata"]
    key = Key(metadata["namespace"], metadata["name"])
    async with opened(Here()) as place:
        try:
            running = await place.start(job)
        except Refused as refusal:
            raise JobFailed(f"the job cannot be made: {refusal}") from None
        assert running.job is not None
        made = running.job
        status, words = await followed(place, running, key, write, tell)
        if not status.is_true(ConditionType.SUCCEEDED):
            raise await failed(place, key, status, words)
        await place.remove(made)
