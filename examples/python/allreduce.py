"""A function on four ranks: each brings a number, and all have the sum."""

from mpijob.sdk import MPIJob, task


@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1, slots=2))
def total(first: int) -> int:
    """Return the sum of `first` and the three numbers after it, one a rank."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    print(f"rank {ranks.rank} of {ranks.size} brings {first + ranks.rank}")
    return ranks.allreduce(first + ranks.rank)


if __name__ == "__main__":
    print(f"the sum is {total(10)}")
