"""When the launcher may start, or start again."""

from mpijob.core.job import LauncherStart, MPIJob
from mpijob.core.observed import Observed
from mpijob.core.policy.retry import settled, wanted_workers
from mpijob.core.status import ConditionType, JobStatus


def launcher_may_start(job: MPIJob, observed: Observed, status: JobStatus) -> bool:
    """Say whether nothing stands between the job's launcher and its start.

    At start-up nothing does: the launcher's own init container waits for the workers. A job that
    asked for ready workers gets them on its first start and on every later one. A launcher that
    was stopped because a worker died waits until that worker is replaced.
    """
    if status.is_true(ConditionType.RESTARTING) and not settled(job, observed):
        return False
    if job.launcher_start is LauncherStart.WHEN_WORKERS_READY:
        ready = sum(pod.ready and not pod.deleting for pod in wanted_workers(job, observed))
        return ready == job.worker_count
    return True
