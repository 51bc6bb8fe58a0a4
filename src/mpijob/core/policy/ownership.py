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
    for kind, child in observed.named():
        if child.owner_uid != uid:
            return _taken(kind, child)
    for pod in observed.workers:
        if pod.owner_uid != uid and retry.is_wanted(job, pod):
            return _taken(Kind.POD, pod)
    return None


def _taken(kind: Kind, child: Child) -> str:
    return (
        f'Resource "{child.name}" of Kind "{kind.value}" already exists '
        "and is not managed by MPIJob"
    )
