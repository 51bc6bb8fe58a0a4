"""Every prototype that there is: a package's own modules make it, a line here makes it known."""

from mpijob.generate import mpi_job, mpi_operator
from mpijob.generate.openmpi import objects as openmpi

PROTOTYPES = (
    mpi_operator.PROTOTYPE,
    mpi_job.SIMPLE,
    mpi_job.CUSTOM,
    openmpi.PROTOTYPE,
)
#: The packages that the prototypes come in, each once.
PACKAGES = tuple(dict.fromkeys(prototype.package for prototype in PROTOTYPES))
