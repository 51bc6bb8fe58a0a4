"""The same task without Flyte: two imports are others, the decorator is the same."""

from learning import learned

from mpijob.sdk import MPIJob, Resources, task


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
    return learned(pictures, epochs)
# fmt: on


if __name__ == "__main__":
    print(mpi_task(pictures=60_000, epochs=3))
