"""When a job has run for as long as it may, and when what is left of it may go."""

from datetime import datetime, timedelta

from mpijob.core.job import MPIJob
from mpijob.core.observed import LauncherView
from mpijob.core.status import JobStatus

REASON = "DeadlineExceeded"
MESSAGE = "Job was active longer than specified deadline"

#: How long the Job controller has the first word on a launcher that it runs itself.
GRACE_S = 5


def expires_at(
    status: JobStatus, deadline_s: int | None, launcher: LauncherView | None
) -> datetime | None:
    """Return the moment at which a job has used up its active deadline, or None for never.

    The clock starts with the job, not with its launcher: workers that never come are no reason to
    wait for ever. Time spent suspended does not count: suspending clears `started_at`, resuming
    sets it anew. A launcher that runs has the same deadline from the Job controller, which is
    given `GRACE_S` to act on it first.

    Args:
        status: What was last reported of the job.
        deadline_s: `spec.runPolicy.activeDeadlineSeconds`, in seconds; None for no deadline.
        launcher: The launcher's Job, where there is one.

    Returns:
        A UTC time, to the second. On that very second the job has expired.

    Source: `JobSpec.activeDeadlineSeconds`, Kubernetes v1.36 (batch/v1).

    """
    if deadline_s is None or status.started_at is None or status.suspended:
        return None
    runs = launcher is not None and not launcher.suspended and launcher.started_at is not None
    return status.started_at + timedelta(seconds=deadline_s + (GRACE_S if runs else 0))


def tidied_at(job: MPIJob, status: JobStatus) -> datetime | None:
    """Return the moment from which a finished job's children go, or None for never.

    The job itself stays, so that its end can still be read.
    """
    ttl_s = job.run_policy.ttl_s
    if ttl_s is None or status.completed_at is None or not status.finished:
        return None
    return status.completed_at + timedelta(seconds=ttl_s)
