"""MPIJobs as rows: what `mpijob get` shows of a job."""

from datetime import datetime

from mpijob.cli.render.age import age, between
from mpijob.core import draft
from mpijob.core.default import defaulted
from mpijob.core.draft import Draft
from mpijob.core.job import Rejected
from mpijob.core.status import JobStatus, ReplicaCount

COLUMNS = ("NAME", "STATE", "READY", "RESTARTS", "AGE")
WIDE = (*COLUMNS, "DURATION", "WORKERS×SLOTS", "MPI", "LAUNCHER", "REASON")


def row(job: Draft | Rejected, now: datetime) -> dict[str, str]:
    """Return all columns of one job, the wide ones too; a job that cannot be read has fewer."""
    told = defaulted(job if isinstance(job, Draft) else Draft(job.identity, status=job.status))
    status, wanted = told.status, told.worker_count
    return {
        "NAMESPACE": told.identity.key.namespace,
        "NAME": told.identity.key.name,
        "STATE": state(job),
        "READY": f"{status.worker.active if status.worker else 0}/{wanted}",
        "RESTARTS": str(status.restarts),
        "AGE": age(told.identity.created_at, now),
        "DURATION": between(status.started_at, status.completed_at, now),
        "WORKERS×SLOTS": f"{wanted}×{told.slots_per_worker}",
        "MPI": told.flavour or "",
        "LAUNCHER": _launcher(status.launcher),
        "REASON": reason(status),
    }


def state(job: Draft | Rejected) -> str:
    """Return the one word for where a job is in its life."""
    if job.identity.deleting:
        return "Terminating"
    return draft.state(job)


def finished(job: Draft | Rejected) -> bool:
    """Say whether a job has ended."""
    return job.status.finished


def reason(status: JobStatus) -> str:
    """Return the reason of the condition that names the job's state; "" for a new job."""
    named = status.naming_condition
    found = status.condition(named) if named else None
    return found.reason if found else ""


def _launcher(count: ReplicaCount | None) -> str:
    """Return how the launcher is, in one word; "" before there is one."""
    match count:
        case None:
            return ""
        case ReplicaCount(active=active) if active:
            return "Running"
        case ReplicaCount(succeeded=succeeded) if succeeded:
            return "Succeeded"
        case ReplicaCount(failed=failed) if failed:
            return "Failed"
        case _:
            return "Pending"
