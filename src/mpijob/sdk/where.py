"""Where jobs run."""

from msgspec import Struct


class Here(Struct, frozen=True):
    """This machine.

    Args:
        mpi: Which MPI: a family ("openmpi", "mpich", "intel") or a path; "" for one that fits.

    """

    mpi: str = ""


Where = Here
