"""Whose a child is: ours, or a stranger's that stands under a name that we need."""

from mpijob.core.job import MPIJob
from mpijob.core.observed import Child, Observed
from mpijob.core.plan import Kind
from mpijob.core.policy import retry


def stranger(job: MPIJob, observed: Observed) -> str | None:
    """Return what to say of a child that bears our name but has another owner, if there is one.

    Source: the message `MessageResourceExists` of mpi-operator v0.8.2, with the kind filled in.
    """
    uid = job.uid
    others = [pod for pod in observed.workers if pod.owner_uid != uid]
    workers = (pod for pod in others if retry.is_wanted(job, pod))
    every: tuple[tuple[Kind, Child | None], ...] = (
        (Kind.SERVICE, observed.service),
        (Kind.CONFIG_MAP, observed.config),
        (Kind.SECRET, observed.secret),
        (Kind.SECRET, observed.host_keys),
        (Kind.JOB, observed.launcher),
        (Kind.POD_GROUP, observed.pod_group),
        (Kind.SERVICE_ACCOUNT, observed.account),
        (Kind.ROLE, observed.role),
        (Kind.ROLE_BINDING, observed.role_binding),
        *((Kind.POD, pod) for pod in workers),
    )
    for kind, child in every:
        if child is not None and child.owner_uid != job.uid:
            return (
                f'Resource "{child.name}" of Kind "{kind.value}" already exists '
                "and is not managed by MPIJob"
            )
    return None
