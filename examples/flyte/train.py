"""The example of Flyte's MPI Operator page, with a body: train on two workers, and say how well."""

from flytekit import Resources, task, workflow
from flytekit.core.base_task import IgnoreOutputs
from flytekitplugins.kfmpi import MPIJob
from learning import learned
from mpi4py import MPI


# The decorator stands as the document has it.
# fmt: off
@task(
    task_config=MPIJob(
        # number of worker to be spawned in the cluster for this job
        num_workers=2,
        # number of launcher replicas to be spawned in the cluster for this job
        # the launcher pod invokes mpirun and communicates with worker pods through MPI
        num_launcher_replicas=1,
        # number of slots per worker used in the hostfile
        # the available slots (GPUs) in each pod
        slots=1,
    ),
    requests=Resources(cpu='1', mem="3000Mi"),
    limits=Resources(cpu='2', mem="6000Mi"),
    retries=3,
    cache=True,
    cache_version="0.5",
)
def mpi_task(pictures: int, epochs: int) -> float:
    """Return how many of the digits that were kept back the model recognises."""
    accuracy = learned(pictures, epochs)
    if MPI.COMM_WORLD.rank != 0:
        # All ranks have found the same; one of them tells Flyte.
        raise IgnoreOutputs
    return accuracy
# fmt: on


@workflow
def training(pictures: int = 60_000, epochs: int = 3) -> float:
    """Train, and return how well the model does."""
    return mpi_task(pictures=pictures, epochs=epochs)
