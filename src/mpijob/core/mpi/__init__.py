"""The MPI implementations' dialects: how each is told of its hosts, slots and remote shell."""

from typing import Protocol, assert_never

from mpijob.core.job import Flavour
from mpijob.core.mpi import intel, mpich, openmpi


class Dialect(Protocol):
    """What a job needs to know of one MPI implementation. One module a dialect."""

    def slots_suffix(self, slots: int) -> str:
        """Return what follows the host's name in a line of the hostfile."""
        ...

    def env(self, slots: int, ssh_options: str | None) -> dict[str, str]:
        """Return the variables that the launcher needs, in the order in which it gets them.

        Args:
            slots: How many ranks a host takes.
            ssh_options: What `ssh` is to be called with so that it reaches a worker, "" where the
                image knows how; None where it is not ssh that starts ranks.

        """
        ...

    def exec_env(self, agent: str) -> dict[str, str]:
        """Return what tells the launcher to start ranks by `agent`, in place of ssh.

        Args:
            agent: The path of a program, on launcher and workers alike: `AGENT HOST COMMAND...`.

        """
        ...

    def on_host_env(self, *, runs_ranks: bool) -> dict[str, str]:
        """Return what a launcher on its node's network needs besides.

        Its address there is the node's, and so may be that of a worker: whoever goes by addresses
        takes that worker for the launcher itself, and starts its ranks without ssh in the wrong
        pod. And its own name is not the node's.

        Args:
            runs_ranks: Whether the launcher stands in the hostfile itself. It shares its node with
                no worker then, and must be known by its address.

        """
        ...


def dialect(flavour: Flavour) -> Dialect:
    """Return the dialect of a flavour."""
    match flavour:
        case Flavour.OPEN_MPI:
            return openmpi
        case Flavour.INTEL:
            return intel
        case Flavour.MPICH:
            return mpich
        case _:
            assert_never(flavour)
