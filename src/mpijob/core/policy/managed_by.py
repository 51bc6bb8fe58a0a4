"""Who looks after a job: we, or another controller that the job names."""

from mpijob.core.job import MPIJob, Rejected

MULTI_KUEUE = "kueue.x-k8s.io/multikueue"


def managed_elsewhere(job: MPIJob | Rejected) -> bool:
    """Say whether the job names another controller, so that we must not touch it at all.

    A name that nobody answers to does not count: such a job is invalid, and says so.
    """
    named = job.managed_by if isinstance(job, Rejected) else job.run_policy.managed_by
    return named == MULTI_KUEUE
