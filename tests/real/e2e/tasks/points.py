"""The document's task with a body: flytekit's where that is installed, else of `mpijob.sdk`.

Its result depends on no rounding, so it is the same on any number of ranks, to the last digit.
"""

from random import Random

try:
    from flytekit import Resources, task
    from flytekitplugins.kfmpi import MPIJob
except ImportError:
    from mpijob.sdk import MPIJob, Resources, task

BLOCK = 1000


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
def mpi_task(blocks: int) -> float:
    """Return pi, as many blocks of drawn points in a square have it that lie in the circle."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    within = 0
    for block in range(ranks.rank, blocks, ranks.size):
        dice = Random(block)
        places = ((dice.random(), dice.random()) for _ in range(BLOCK))
        within += sum(x * x + y * y < 1 for x, y in places)
    total = ranks.allreduce(within)
    if ranks.rank == 0:
        print(f"ranks {ranks.size}  within {total}", flush=True)  # noqa: T201
    return 4 * total / (blocks * BLOCK)
# fmt: on
