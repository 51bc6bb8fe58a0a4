"""Tasks that a test runs with flytekit, on real ranks of this machine."""

import os

from flytekit import Resources, task, workflow
from flytekit.core.base_task import IgnoreOutputs
from flytekitplugins.kfmpi import MPIJob
from mpi4py import MPI

#: What the document's decorator says, with two slots a worker.
CONFIG = MPIJob(num_workers=2, num_launcher_replicas=1, slots=2)
AMOUNTS = {"requests": Resources(cpu="1", mem="300Mi"), "limits": Resources(cpu="2", mem="600Mi")}


def one(value):
    """Return a rank's value on rank 0, and let no other rank tell Flyte anything."""
    if MPI.COMM_WORLD.rank != 0:
        raise IgnoreOutputs
    return value


@task(task_config=CONFIG, **AMOUNTS)
def places(base: int) -> list[str]:
    """Return where each rank is, and what the execution calls itself."""
    ranks = MPI.COMM_WORLD
    name = os.environ["FLYTE_INTERNAL_EXECUTION_ID"]
    host = os.uname().nodename.removeprefix(name)
    return one(ranks.allgather(f"{base + ranks.rank} on {host}"))


@task(task_config=CONFIG, **AMOUNTS)
def broken(base: int) -> int:
    """Raise on one rank, while the others wait for it."""
    if MPI.COMM_WORLD.rank == 1:
        raise ValueError(f"no good: {base}")
    MPI.COMM_WORLD.Barrier()
    return one(base)


@task(task_config=CONFIG, **AMOUNTS)
def quiet(base: int) -> int:
    """Raise on one rank, which then exits with 0: so it does unless Flyte is told otherwise."""
    os.environ.pop("FLYTE_FAIL_ON_ERROR", None)
    if MPI.COMM_WORLD.rank == 1:
        raise ValueError(f"no good: {base}")
    return one(base)


@workflow
def where(base: int) -> list[str]:
    """Say where the ranks are."""
    return places(base=base)


@workflow
def raising(base: int) -> int:
    """Fail."""
    return broken(base=base)


@workflow
def raising_quietly(base: int) -> int:
    """Fail, and exit with 0."""
    return quiet(base=base)
