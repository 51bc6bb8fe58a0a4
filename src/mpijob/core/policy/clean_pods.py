"""Which workers of a finished job go, and which stay to be looked at."""

from mpijob.core.job import CleanPodPolicy
from mpijob.core.observed import PodPhase, PodView


def goes(policy: CleanPodPolicy, pod: PodView) -> bool:
    """Say whether `policy` has this worker removed once the job is finished.

    Source: `cleanUpWorkerPods`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    match policy:
        case CleanPodPolicy.NONE:
            return False
        case CleanPodPolicy.RUNNING:
            return pod.phase in (PodPhase.RUNNING, PodPhase.PENDING)
        case CleanPodPolicy.ALL:
            return True
