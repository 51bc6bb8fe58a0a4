"""When a status is worth a write: news at once, counts of starting pods together.

Every write of a status wakes all who watch jobs. Conditions, causes and ends are told as soon as
they are seen. That one more pod runs is told once the first that was not told of has run for a
moment: by then those that started with it run too, and often all do, which is news. And that the
launcher's pod has ended well waits for what its Job makes of that, which is the end.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from mpijob.core.job import MPIJob, Rejected
from mpijob.core.observed import Observed, PodPhase, PodView
from mpijob.core.status import JobStatus, ReplicaCount

#: How long a running pod may be untold, in s. Times are in whole seconds, so that two of them are
#: a second at least.
SETTLE_S = 2
#: How long a Job may take to say that it has ended, after its pod has, in s.
VERDICT_S = 10
_NOBODY = ReplicaCount()


def write_at(observed: Observed, new: JobStatus, now: datetime) -> datetime | None:
    """Return from when on `new` is worth a write: `now`, a later moment, or None for never.

    Nothing is remembered for this: how many pods were told of stands in the job's status, and
    since when the others run, in the pods. Where a pod does not say, or by its node's clock starts
    in the future, there is nothing to wait for.

    Args:
        observed: The job with the status that it has, and its pods.
        new: The status that it should have.
        now: UTC, to the second.

    """
    old = observed.job.status
    if old == new:
        return None
    if replace(old, launcher=new.launcher, worker=new.worker, ready=new.ready) != new:
        return now
    before = (old.launcher or _NOBODY, old.worker or _NOBODY)
    after = (new.launcher or _NOBODY, new.worker or _NOBODY)
    if before == after:
        # That there is a launcher, with no pod yet, waits for other news.
        return now if old.ready != new.ready else None
    gained = [b.active - a.active for a, b in zip(before, after, strict=True)]
    ended = [(a.succeeded, a.failed) for a in before] != [(b.succeeded, b.failed) for b in after]
    if ended or gained[1] < 0:
        return now
    if gained[0] < 0:
        return _judged_by(observed, now)
    return _settled_at(observed, sum(gained), now)


def is_tidied(job: MPIJob | Rejected, gone: object) -> bool:
    """Say whether what went, as it was last seen, was a pod that had been told to, of an ended job.

    Nothing follows on that any more, and there are as many of them as there were workers.
    """
    return isinstance(gone, PodView) and gone.deleting and job.status.finished


def _judged_by(observed: Observed, now: datetime) -> datetime:
    """Return by when the Job is to say what it makes of its pods' end."""
    ended = [pod for pod in observed.launcher_pods if pod.phase is PodPhase.SUCCEEDED]
    ends = [c.ended_at for pod in ended for c in pod.containers if c.ended_at is not None]
    last = max(ends, default=None)
    return now if last is None or last > now else max(now, last + timedelta(seconds=VERDICT_S))


def _settled_at(observed: Observed, untold: int, now: datetime) -> datetime:
    """Return from when on the pods that started last, `untold` of them, are told of."""
    pods = (*observed.workers, *observed.launcher_pods)
    starts = [pod.running_since for pod in pods if pod.phase is PodPhase.RUNNING]
    known = sorted(start for start in starts if start is not None and start <= now)
    if len(known) < len(starts) or len(known) < untold:
        return now
    return max(now, known[-untold] + timedelta(seconds=SETTLE_S))
