"""What to report: a job's next status, from what was observed, never from what is wished."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from mpijob.core import names
from mpijob.core.job import MPIJob, Rejected
from mpijob.core.observed import End, LauncherView, Observed, PodPhase, PodView
from mpijob.core.plan import Announce
from mpijob.core.policy import deadline, retry
from mpijob.core.policy.elastic import elastic
from mpijob.core.policy.ownership import stranger
from mpijob.core.status import Condition, ConditionType, Failure, JobStatus, ReplicaCount
from mpijob.core.validate import event_message
from mpijob.core.version import Ways

MESSAGE_MAX = 1024
BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
_CREATED = "MPIJobCreated"


def next_status(observed: Observed, now: datetime) -> JobStatus:
    """Return the status that `observed` calls for.

    A finished job's status stays as it is, but for a missing time of its end. `now` (UTC, to the
    second) stamps only what changes: called again on its own result, this returns an equal status.
    Where the clock of whoever looked before was ahead of ours, its time counts: none goes back.

    Source: `updateMPIJobStatus`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    job = observed.job
    now = max(now, job.status.told_at or now)
    if job.status.finished:
        # mpi-operator's evicted jobs have none, and so would never be cleaned up.
        ended = job.status.completed_at is not None
        return job.status if ended else replace(job.status, completed_at=now)
    if isinstance(job, Rejected):
        return _rejected(job, now)
    status = _next_status(job, observed, now)
    if not (status.finished and job.ways.ends_late):
        return status
    made = _made(job, job.status, now)
    held_until = end_held_until(replace(job, status=made))
    return made if held_until and now < held_until else status


def end_held_until(job: MPIJob) -> datetime | None:
    """Return the moment before which the job's end is not told, or None for any.

    Of a v1 job's conditions clients take the newest for its state, by times of whole seconds: an
    end in the second of the creation would never be seen. It is told a second later.
    """
    created = job.status.condition(ConditionType.CREATED)
    if not job.ways.ends_late or created is None:
        return None
    return created.changed_at + timedelta(seconds=1)


def _rejected(job: Rejected, now: datetime) -> JobStatus:
    """Say what is wrong with a job.

    One of v1 that never began has failed: its clients know no other word, and would wait for ever.

    Source: `JobFailedValidationReason`, training-operator v1.9 (pkg/util).
    """
    text, status = event_message(job.problems), job.status
    ways = job.identity.written_in.ways
    if not ways.ends_invalid or status.condition(ConditionType.CREATED) is not None:
        row = Condition(ConditionType.INVALID, True, "ValidationError", text, now, now)
        return _with_trouble(status, ways, row)
    status = status.without_condition(ConditionType.INVALID)
    failed = _set(status, ConditionType.FAILED, "MPIJobFailedValidation", text, now)
    return replace(failed, completed_at=now)


def _with_trouble(status: JobStatus, ways: Ways, row: Condition) -> JobStatus:
    """Tell of trouble by a type of ours, for which Flyte would fail the task if it were the newest.

    In a v1 job it counts from the job's creation, so that Flyte goes by what it knows; when it was
    told is in `lastUpdateTime`.
    """
    created = status.condition(ConditionType.CREATED)
    if ways.ends_late and created is not None:
        row = replace(row, changed_at=created.changed_at)
    return status.with_condition(row)


def _next_status(job: MPIJob, observed: Observed, now: datetime) -> JobStatus:
    """Return the status that is called for of a job that has not ended yet."""
    status = job.status.without_condition(ConditionType.INVALID)
    status = _made(job, status, now)
    taken = stranger(job, observed)
    if taken is not None:
        row = Condition(ConditionType.BLOCKED, True, "ErrResourceExists", taken, now, now)
        return _with_trouble(status, job.ways, row)
    status = status.without_condition(ConditionType.BLOCKED)
    status = _counted(job, observed, status)
    launcher = observed.launcher
    if launcher is not None and launcher.end is not None:
        status = _ended(job, observed, status, launcher.end, now)
    else:
        status = _living(job, observed, _begun(job, status, now), now)
    if not job.ways.shows_line:
        return status
    # It changes with the counts alone, so that it costs no write of its own.
    ready = f"{status.worker.active if status.worker else 0}/{job.worker_count}"
    return status if status.ready == ready else replace(status, ready=ready)


def _made(job: MPIJob, status: JobStatus, now: datetime) -> JobStatus:
    if status.says(ConditionType.CREATED, true=True, reason=_CREATED):
        return status  # As on nearly every look.
    told = f"MPIJob {_named(job)} is created."
    return _set(status, ConditionType.CREATED, _CREATED, told, now)


def _begun(job: MPIJob, status: JobStatus, now: datetime) -> JobStatus:
    """Suspended or not, and since when it runs."""
    if job.suspended:
        status = _set(status, ConditionType.SUSPENDED, "MPIJobSuspended", "MPIJob suspended", now)
        status = status.without_condition(ConditionType.RESTARTING)
        return status if status.started_at is None else replace(status, started_at=None)
    if status.condition(ConditionType.SUSPENDED) is not None:
        status = _unset(status, ConditionType.SUSPENDED, "MPIJobResumed", "MPIJob resumed", now)
    return status if status.started_at is not None else replace(status, started_at=now)


def _counted(job: MPIJob, observed: Observed, status: JobStatus) -> JobStatus:
    seen, launcher = observed.launcher, status.launcher
    if seen is not None:
        launcher = _launcher_count(seen, observed.launcher_pods)
    elif job.suspended and launcher is None:
        launcher = ReplicaCount()  # It is made as soon as this is told, and has no pod to wait for.
    phases = [pod.phase for pod in observed.workers if pod.owner_uid == job.uid]
    worker = ReplicaCount(
        active=phases.count(PodPhase.RUNNING),
        succeeded=phases.count(PodPhase.SUCCEEDED),
        failed=phases.count(PodPhase.FAILED),
    )
    if (launcher, worker) == (status.launcher, status.worker):
        return status
    return replace(status, launcher=launcher, worker=worker)


def _launcher_count(launcher: LauncherView, pods: Iterable[PodView]) -> ReplicaCount:
    if launcher.end is not None:
        return ReplicaCount(succeeded=int(launcher.end.succeeded), failed=launcher.failed_count)
    return ReplicaCount(active=_in_phase(pods, PodPhase.RUNNING), failed=launcher.failed_count)


def _living(job: MPIJob, observed: Observed, status: JobStatus, now: datetime) -> JobStatus:
    """Suspended, restarting, running, out of time, or on its way to one of them."""
    if job.suspended:
        message = f"MPIJob {_named(job)} is suspended."
        return _unset(status, ConditionType.RUNNING, "MPIJobSuspended", message, now)
    limit = job.run_policy.active_deadline_s
    expires_at = deadline.expires_at(status, limit, observed.launcher)
    if expires_at is not None and now >= expires_at:
        return _failed(job, status, (deadline.REASON, deadline.MESSAGE), now, now)
    if elastic(job):
        dead = retry.dead_workers(job, observed)
        known = status.failure is not None and any(pod.uid == status.failure.uid for pod in dead)
        if dead and not known:
            status = replace(status, failure=retry.cause(dead[0]))
    else:
        status = _mourned(job, observed, status, now)
        if status.finished or status.is_true(ConditionType.RESTARTING):
            return status
    fell = retry.stumbled(observed.launcher_pods)
    if fell is not None and not (status.failure is not None and status.failure.uid == fell.uid):
        status = replace(status, failure=retry.cause(fell))
    running = _in_phase(retry.wanted_workers(job, observed), PodPhase.RUNNING)
    # A launcher that was held and is let go again may still be on its way out: that is not it.
    if retry.launcher_runs(observed) and running == job.worker_count:
        message = f"{_said(job)} is running."
        status = _set(status, ConditionType.RUNNING, "MPIJobRunning", message, now)
    return status


def _mourned(job: MPIJob, observed: Observed, status: JobStatus, now: datetime) -> JobStatus:
    """Record the first cause of a worker's loss, once, and that the job starts anew for it."""
    launcher = observed.launcher
    if status.is_true(ConditionType.RESTARTING):
        back = launcher is None or not launcher.suspended
        whole = retry.settled(job, observed) and back
        return status.without_condition(ConditionType.RESTARTING) if whole else status
    losses = retry.losses(job, observed)
    if not losses:
        return status
    cause = losses[0]
    status = replace(status, failure=cause, restarts=status.restarts + 1)
    if status.restarts > retry.backoff_limit(job):
        status = replace(status, restarts=status.restarts - 1)
        return _failed(job, status, _worn_out(job, losses), now, now)
    told = f"{_fate(cause)}; {_said(job)} is started anew."
    status = _unset(status, ConditionType.RUNNING, "MPIJobRestarting", told, now)
    return _set(status, ConditionType.RESTARTING, "MPIJobRestarting", told, now)


def _fate(cause: Failure) -> str:
    if cause.reason == retry.DELETED:
        return f"worker {cause.pod} was deleted"
    return f"worker {cause.pod} failed ({cause.reason})"


def _worn_out(job: MPIJob, losses: tuple[Failure, ...]) -> tuple[str, str]:
    """Why a job that lost workers too often has failed: reason and message."""
    cause = losses[0]
    evicted = sum(loss.reason == retry.EVICTED for loss in losses)
    if evicted:
        return "MPIJobEvicted", f"{evicted}/{job.worker_count} workers are evicted"
    said = f": {cause.message}" if cause.message else ""
    code = f" with exit code {cause.exit_code}" if cause.exit_code is not None else ""
    message = f"{_fate(cause)}{code}{said}"
    return f"{BACKOFF_LIMIT_EXCEEDED}/{cause.reason}", message[:MESSAGE_MAX]


def _ended(
    job: MPIJob, observed: Observed, status: JobStatus, end: End, now: datetime
) -> JobStatus:
    """The launcher's Job has ended, and with it the job."""
    if end.succeeded:
        message = f"{_said(job)} successfully completed."
        done = _finished(status, ConditionType.SUCCEEDED, ("MPIJobSucceeded", message), now)
        return _with_running(job, replace(done, completed_at=_end_of(status, end, now)), now)
    reason = end.reason or "MPIJobFailed"
    message = end.message or f"{_said(job)} has failed"
    dead = retry.dead_workers(job, observed)
    newest = retry.newest_failed(observed.launcher_pods)
    cause = retry.cause(newest) if newest is not None else _launchers(job, status.failure)
    if reason == BACKOFF_LIMIT_EXCEEDED and cause is not None:
        reason += f"/{cause.reason}"
        message = f"{message}: {cause.message}"[:MESSAGE_MAX] if cause.message else message
    culprit = dead[0] if dead else newest
    if culprit is not None:
        status = replace(status, failure=retry.cause(culprit))
    return _failed(job, status, (reason, message), now, _end_of(status, end, now))


def _launchers(job: MPIJob, failure: Failure | None) -> Failure | None:
    """Return a failure if it was a launcher pod's: of one that is gone it is all there is."""
    of_launcher = failure is not None and failure.pod.startswith(f"{names.launcher(job.name)}-")
    return failure if of_launcher else None


def _end_of(status: JobStatus, end: End, now: datetime) -> datetime:
    """Return when the job ended: with its launcher, but never before it began.

    A run may end unseen while its job is suspended and resumed, and then it began anew for us.
    """
    at = end.at or now
    return at if status.started_at is None else max(at, status.started_at)


def _failed(
    job: MPIJob, status: JobStatus, why: tuple[str, str], now: datetime, at: datetime
) -> JobStatus:
    failed = _finished(status, ConditionType.FAILED, why, now)
    return _with_running(job, replace(failed, completed_at=at), now)


def _finished(
    status: JobStatus, type_: ConditionType, why: tuple[str, str], now: datetime
) -> JobStatus:
    """Set the end. `Running` turns false in its place and keeps its times, as clients expect.

    A run may end in the moment in which it is suspended: then the end is what counts.
    """
    status = status.without_condition(ConditionType.RESTARTING)
    if status.suspended:
        status = status.without_condition(ConditionType.SUSPENDED)
    rows = tuple(
        replace(row, true=False) if row.type is ConditionType.RUNNING else row
        for row in status.conditions
    )
    status = replace(status, conditions=rows, worker=ReplicaCount())
    return _set(status, type_, why[0], why[1], now)


def _with_running(job: MPIJob, status: JobStatus, now: datetime) -> JobStatus:
    """Return a finished status that says of `Running` at least that it never was."""
    if status.condition(ConditionType.RUNNING) is not None:
        return status
    at = status.completed_at or now
    message = f"{_said(job)} is finished but Running condition was never set."
    row = Condition(ConditionType.RUNNING, False, "MPIJobRunning", message, at, at)
    return status.with_condition(row)


def announcements(old: JobStatus, new: JobStatus) -> Iterator[Announce]:
    """Yield one Event for each condition that has become true, and for a job's resumption.

    Source: the `recorder.Event` calls of mpi-operator v0.8.2, less their repetitions.
    """
    resumed = new.condition(ConditionType.SUSPENDED)
    if old.suspended and resumed is not None and not resumed.true:
        yield Announce(resumed.reason, resumed.message)
    for row in new.conditions:
        before = old.condition(row.type)
        if row.true and (before is None or not before.true or before.reason != row.reason):
            yield Announce(row.reason, _event_text(row), warning=row.type in _WARNINGS)


_WARNINGS = frozenset(
    (
        ConditionType.FAILED,
        ConditionType.INVALID,
        ConditionType.BLOCKED,
        ConditionType.RESTARTING,
    )
)


def _event_text(row: Condition) -> str:
    """The event of a running job lacks the condition's full stop: clients match the text."""
    return row.message.removesuffix(".") if row.type is ConditionType.RUNNING else row.message


def _in_phase(pods: Iterable[PodView], phase: PodPhase) -> int:
    return len([pod for pod in pods if pod.phase is phase])


def _said(job: MPIJob) -> str:
    return f"MPIJob {job.key}"


def _named(job: MPIJob) -> str:
    """Return the job's name as news of its creation and suspension have it."""
    return str(job.key) if job.ways.names_namespace else job.name


def _set(
    status: JobStatus, type_: ConditionType, reason: str, message: str, now: datetime
) -> JobStatus:
    if status.says(type_, true=True, reason=reason):
        return status
    return status.with_condition(Condition(type_, True, reason, message, now, now))


def _unset(
    status: JobStatus, type_: ConditionType, reason: str, message: str, now: datetime
) -> JobStatus:
    if status.says(type_, true=False, reason=reason):
        return status
    return status.with_condition(Condition(type_, False, reason, message, now, now))
