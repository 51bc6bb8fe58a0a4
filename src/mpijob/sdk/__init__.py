"""The face for Python: a function is a job, and jobs are made, watched and read."""

from mpijob.sdk.task_config import (
    CleanPodPolicy,
    HorovodJob,
    Launcher,
    MPIJob,
    Resources,
    RestartPolicy,
    RunPolicy,
    Worker,
)

__all__ = [
    "CleanPodPolicy",
    "HorovodJob",
    "Launcher",
    "MPIJob",
    "Resources",
    "RestartPolicy",
    "RunPolicy",
    "Worker",
]
