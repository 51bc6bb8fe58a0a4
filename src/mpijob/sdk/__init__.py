"""The face for Python: a function is a job, and jobs are made, watched and read."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpijob.api.new_job import NewJob
    from mpijob.sdk.client import AsyncClient, Client
    from mpijob.sdk.errors import (
        JobError,
        JobFailed,
        NoResult,
        NoSuchJob,
        NotShippable,
        RankFailed,
        RanksDisagree,
        TimedOut,
    )
    from mpijob.sdk.state import JobState
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
    from mpijob.sdk.tasks import Task, task
    from mpijob.sdk.where import Cluster, Here

#: What is to be had here, and from which module of this room; imported when it is asked for.
_HOMES = {
    "client": ("AsyncClient", "Client"),
    "errors": (
        "JobError",
        "JobFailed",
        "NoResult",
        "NoSuchJob",
        "NotShippable",
        "RankFailed",
        "RanksDisagree",
        "TimedOut",
    ),
    "state": ("JobState",),
    "tasks": ("Task", "task"),
    "where": ("Cluster", "Here"),
    "task_config": (
        "CleanPodPolicy",
        "HorovodJob",
        "Launcher",
        "MPIJob",
        "Resources",
        "RestartPolicy",
        "RunPolicy",
        "Worker",
    ),
}

__all__ = [
    "AsyncClient",
    "CleanPodPolicy",
    "Client",
    "Cluster",
    "Here",
    "HorovodJob",
    "JobError",
    "JobFailed",
    "JobState",
    "Launcher",
    "MPIJob",
    "NewJob",
    "NoResult",
    "NoSuchJob",
    "NotShippable",
    "RankFailed",
    "RanksDisagree",
    "Resources",
    "RestartPolicy",
    "RunPolicy",
    "Task",
    "TimedOut",
    "Worker",
    "task",
]


def __getattr__(name: str) -> Any:
    """Return what is to be had here, by its name."""
    if name == "NewJob":
        from mpijob.api.new_job import NewJob

        return NewJob
    home = next((module for module, names in _HOMES.items() if name in names), "")
    if not home:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
