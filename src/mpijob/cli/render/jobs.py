"""MPIJobs as rows: what `mpijob get` shows of a job."""

from datetime import datetime

from mpijob.cli.render.age import age, between
from mpijob.core.default import defaulted
from mpijob.core.draft import WORKER, Draft
from mpijob.core.job import Rejected
from mpijob.core.status import PENDING, ConditionType, JobStatus, ReplicaCount

COLUMNS = ("NAME", "STATE", "READY", "RESTARTS", "AGE")
WIDE = (*COLUMNS, "DURATION", "WORKERS×SLOTS", "MPI", "LAUNCHER", "REASON")


def row(job: Draft | Rejected, now: datetime) -> dict[str, str]:
    """Return all columns of one job, the wide ones too; a job that cannot be read has fewer."""
    draft = defaulted(job if isinstance(job, Draft) else Draft(job.identity, status=job.status))
    status = draft.status
    wanted = worker_count(draft)
    return {
        "NAMESPACE": draft.identity.key.namespace,
        "NAME": draft.identity.key.name,
        "STATE": state(job),
        "READY": f"{status.worker.active if status.worker else 0}/{wanted}",
        "RESTARTS": str(status.restarts),
        "AGE": age(draft.identity.created_at, now),
        "DURATION": between(status.started_at, status.completed_at, now),
        "WORKERS×SLOTS": f"{wanted}×{draft.slots_per_worker}",
        "MPI": draft.flavour or "",
        "LAUNCHER": _launcher(status.launcher),
        "REASON": reason(status),
    }


def state(job: Draft | Rejected) -> str:
    """Return the one word for where a job is in its life."""
    if job.identity.deleting:
        return "Terminating"
    named = job.status.naming_condition
    if named is not None:
        return named.value
    if isinstance(job, Rejected):
        return ConditionType.INVALID.value
    return ConditionType.SUSPENDED.value if job.suspended else PENDING


def finished(job: Draft | Rejected) -> bool:
    """Say whether a job has ended."""
    return job.status.finished


def reason(status: JobStatus) -> str:
    """Return the reason of the condition that names the job's state; "" for a new job."""
    named = status.naming_condition
    found = status.condition(named) if named else None
    return found.reason if found else ""


def worker_count(job: Draft) -> int:
    """Return how many workers a job asks for; 0 where it has none."""
    worker = (job.replicas or {}).get(WORKER)
    return (worker.count or 0) if worker else 0


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
