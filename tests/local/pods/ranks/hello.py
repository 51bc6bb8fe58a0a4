"""Say where this rank runs, and check that the ranks can talk: what the tests have mpirun start."""

import os
import sys

from mpi4py import MPI

world = MPI.COMM_WORLD
total = world.allreduce(world.rank)
library = MPI.Get_library_version().split(",")[0].split()[:3]
host = os.environ.get("MPIJOB_HOST") or os.uname().nodename
sys.stdout.write(f"rank {world.rank} of {world.size} on {host}: {total} ({' '.join(library)})\n")
