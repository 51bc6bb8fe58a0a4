"""Estimates pi with every rank of an MPI job: each adds up its share of the area under a curve."""

import os
import socket
import sys

from mpi4py import MPI

STEPS = 1_000_000


def share(rank: int, size: int) -> float:
    """Return one rank's part of the integral of 4 / (1 + x²) from 0 to 1, by midpoints."""
    width = 1.0 / STEPS
    return width * sum(4.0 / (1.0 + ((i + 0.5) * width) ** 2) for i in range(rank, STEPS, size))


def main() -> None:
    """Say where every rank runs, in order, then the estimate."""
    ranks = MPI.COMM_WORLD
    # On a machine without namespaces all hosts have the machine's name: mpijob says which it is.
    host = os.environ.get("MPIJOB_HOST") or socket.gethostname()
    hosts = ranks.gather(host)
    pi = ranks.reduce(share(ranks.rank, ranks.size))
    if ranks.rank == 0:
        for rank, name in enumerate(hosts):
            print(f"rank {rank} of {ranks.size} on {name}")
        print(f"pi is about {pi:.10f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
