"""What to do about workers that died: who counts as dead, why, and how often we start anew."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from mpijob.core import names
from mpijob.core.job import MPIJob
from mpijob.core.observed import ContainerView, Observed, PodPhase, PodView
from mpijob.core.status import ConditionType, Failure

#: What a Job allows where nothing is said (batch/v1).
BACKOFF_LIMIT = 6
#: How long an elastic job's dead worker rests before its successor comes, so that one that dies
#: at once is no busy loop.
ELASTIC_REST_S = 10
EVICTED = "Evicted"
#: Why a worker is lost that somebody took away.
DELETED = "Deleted"
#: How a container ends that is told to: by SIGKILL, by SIGTERM.
KILLED = (137, 143)

_EPOCH = datetime.fromtimestamp(0, UTC)


def wanted_workers(job: MPIJob, observed: Observed) -> tuple[PodView, ...]:
    """Return the job's own worker pods whose index the job wants, in no particular order."""
    uid, wanted = job.uid, names.workers(job.name, job.worker_count)
    return tuple([pod for pod in observed.workers if pod.owner_uid == uid and pod.name in wanted])


def is_wanted(job: MPIJob, pod: PodView) -> bool:
    """Say whether a pod bears the name of one of the workers 0 to n-1."""
    return pod.name in names.workers(job.name, job.worker_count)


def dead_workers(job: MPIJob, observed: Observed) -> tuple[PodView, ...]:
    """Return the wanted workers that have failed for good, the first to die first.

    A pod in phase Failed never comes back: it was evicted, its node went away, or its container
    ended and its policy is Never. One that somebody deletes also fails on its way out: that is no
    death, and it is missing soon (see `losses`).
    """
    fallen = [pod for pod in observed.workers if pod.phase is PodPhase.FAILED and not pod.deleting]
    if not fallen:
        return ()
    dead = [pod for pod in fallen if pod.owner_uid == job.uid and is_wanted(job, pod)]
    return tuple(sorted(dead, key=lambda pod: (died_at(pod) or _EPOCH, pod.name)))


def losses(job: MPIJob, observed: Observed) -> tuple[Failure, ...]:
    """Return what a job has to start anew for: a cause for each worker lost, the first one first.

    They are those that died. Else, under a launcher that runs, they are those that somebody takes
    away, by deleting them or their node: its ranks never hear of the successors.
    """
    dead = dead_workers(job, observed)
    if dead or not launcher_runs(observed):
        return tuple(map(cause, dead))
    wanted = wanted_workers(job, observed)
    leaving = sorted((pod for pod in wanted if pod.deleting), key=lambda pod: pod.name)
    if leaving:
        return tuple(Failure(pod.name, pod.uid, DELETED, node=pod.node) for pod in leaving)
    there = {pod.name for pod in wanted}
    every = names.workers(job.name, job.worker_count)
    missing = [name for name in every if name not in there]
    if not missing or not _had(job, observed, every[missing[0]]):
        return ()
    return tuple(Failure(name, "", DELETED) for name in missing)


def _had(job: MPIJob, observed: Observed, first: int) -> bool:
    """Say whether a launcher that runs began with workers that are missing now, `first` the first.

    It does not start before they are there. But a job that runs may have been asked for more since,
    and then it was told to run with as many as there are now. Those that come last are the new
    ones: one of the first that is missing was had, however many newer ones run.
    """
    if not job.status.is_true(ConditionType.RUNNING):
        return True
    told = job.status.worker.active if job.status.worker else 0
    own = [pod.phase for pod in observed.workers if pod.owner_uid == job.uid]
    ran = own.count(PodPhase.RUNNING) + own.count(PodPhase.SUCCEEDED)
    return min(ran, first) < min(told, job.worker_count)


def launcher_runs(observed: Observed) -> bool:
    """Say whether the launcher runs, and is to: one that is held ends, if not at once."""
    if observed.launcher is None or observed.launcher.suspended:
        return False
    return any(p.phase is PodPhase.RUNNING and not p.deleting for p in observed.launcher_pods)


def settled(job: MPIJob, observed: Observed) -> bool:
    """Say whether every wanted worker is there, alive and meant to stay."""
    alive = sum(
        pod.phase is not PodPhase.FAILED and not pod.deleting
        for pod in wanted_workers(job, observed)
    )
    return alive == job.worker_count


def backoff_limit(job: MPIJob) -> int:
    """Return how many restarts the job is allowed (`spec.runPolicy.backoffLimit`)."""
    limit = job.run_policy.backoff_limit
    return BACKOFF_LIMIT if limit is None else limit


def died_at(pod: PodView) -> datetime | None:
    """Return when the first container of a dead pod ended, or None where none says."""
    return min((c.ended_at for c in pod.containers if c.ended_at is not None), default=None)


def rests_until(pod: PodView) -> datetime | None:
    """Return the moment from which an elastic job's dead worker is replaced; None for now."""
    died = died_at(pod)
    return None if died is None else died + timedelta(seconds=ELASTIC_REST_S)


def newest_failed(pods: Iterable[PodView]) -> PodView | None:
    """Return the pod that was made last of those that have failed, or None where none has."""
    failed = [pod for pod in pods if pod.phase is PodPhase.FAILED]
    return max(failed, key=lambda pod: (pod.created_at or _EPOCH, pod.name), default=None)


def stumbled(pods: Iterable[PodView]) -> PodView | None:
    """Return the pod made last of those with a container that ended badly, or None.

    Where its policy is OnFailure its Job deletes it once it gives up, and with it what it said; so
    it counts while it waits to start anew, and while it goes, unless it only ends as it is told to.
    """
    fell = [pod for pod in pods if _fell(pod)]
    return max(fell, key=lambda pod: (pod.created_at or _EPOCH, pod.name), default=None)


def _fell(pod: PodView) -> bool:
    told = _culprit(pod.containers)
    by_itself = told is not None and told.restart_count > 0 and told.exit_code not in KILLED
    return by_itself if pod.deleting else told is not None


def cause(pod: PodView) -> Failure:
    """Return why a pod died, from what its own status says: the pod's reason, else a container's.

    The container that ended first with an error is the one that tells.
    """
    told = _culprit(pod.containers)
    reason = pod.reason or (told.ended_reason if told else "") or "Failed"
    message = pod.message or (told.ended_message if told else "")
    return Failure(
        pod=pod.name,
        uid=pod.uid,
        reason=reason,
        message=message,
        node=pod.node,
        exit_code=told.exit_code if told else None,
        at=died_at(pod),
    )


def _culprit(containers: Iterable[ContainerView]) -> ContainerView | None:
    ended = [c for c in containers if c.exit_code not in (None, 0)]
    return min(ended, key=lambda c: c.ended_at or _EPOCH, default=None)
