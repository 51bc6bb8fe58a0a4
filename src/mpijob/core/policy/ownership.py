"""Whose a child is: ours, or a stranger's that stands under a name that we need."""

from mpijob.core.job import MPIJob
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind
from mpijob.core.policy import retry


def stranger(job: MPIJob, observed: Observed) -> str | None:
    """Return what to say of a child that bears our name but has another owner, if there is one.

    Source: the message `MessageResourceExists` of mpi-operator v0.8.2, with the kind filled in.
    """
    uid = job.uid
    others = [pod for pod in observed.workers if pod.owner_uid != uid]
    workers = (pod for pod in others if retry.is_wanted(job, pod))
    for kind, child in (*observed.named(), *((Kind.POD, pod) for pod in workers)):
        if child.owner_uid != job.uid:
            return (
                f'Resource "{child.name}" of Kind "{kind.value}" already exists '
                "and is not managed by MPIJob"
            )
    return None
