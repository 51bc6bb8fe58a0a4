"""A sweep: one job for each learning rate, two at a time, and the best of them.

Results are kept: typed again, the sweep runs no job. A new `cache_version` forgets them.
"""

import asyncio

from mpijob.sdk import MPIJob, task

RATES = (0.01, 0.1, 0.5, 1.5)


@task(
    task_config=MPIJob(num_workers=2, num_launcher_replicas=1),
    retries=1,
    cache=True,
    cache_version="1",
)
def distance(rate: float) -> float:
    """Return how far from the top two ranks are that climb a hill together, at that rate."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    place, top = 0.0, 3.0
    for _ in range(40):
        # Each rank knows half of the slope.
        place += rate * ranks.allreduce((top - place) / ranks.size)
    return abs(top - place)


async def swept() -> dict[float, float]:
    """Return what came of each rate."""
    two_at_a_time = asyncio.Semaphore(2)

    async def tried(rate: float) -> float:
        async with two_at_a_time:
            return await distance.run(rate)

    found = await asyncio.gather(*map(tried, RATES))
    return dict(zip(RATES, found, strict=True))


if __name__ == "__main__":
    results = asyncio.run(swept())
    for rate, far in results.items():
        print(f"rate {rate:4}  distance {far:.6f}")
    print(f"the best rate is {min(results, key=results.__getitem__)}")
