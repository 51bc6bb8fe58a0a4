"""What makes several hosts on one machine work for each MPI: variables that users may override.

The figures behind each line stand in docs/decisions/0012-hosts-on-one-machine.md.
"""

from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct

from mpijob.local.keeper import PRELOAD_VARIABLE
from mpijob.local.mpi import Family, Mpi

#: Loopback: nothing outside this machine can reach a job, and none is needed to run it.
_LOOPBACK = "lo"


class Surroundings(Struct, frozen=True):
    """What of a job and its machine decides how its MPI is set up."""

    #: The rsh agent's path.
    agent: str
    #: The ranks of the job, on all its hosts together.
    rank_count: int
    #: The CPUs that they share.
    cpu_count: int
    #: The programs' PATH before the MPI's own folder is put in front of it.
    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    #: The programs' LD_LIBRARY_PATH, likewise.
    library_path: str = ""
    #: The hosts' names have addresses, as the pods' own /etc/hosts gives them.
    names_resolve: bool = True
    #: The library of `preloads.openmpi_library`; "" for none.
    openmpi_library: str = ""


def environment(mpi: Mpi, around: Surroundings) -> dict[str, str]:
    """Return the variables for every container of a job whose mpirun is to be that of `mpi`.

    Each is a default: what a job's own env says wins.
    """
    crowded = around.rank_count > around.cpu_count
    match mpi.family:
        case Family.OPENMPI:
            settings = _openmpi(around.agent, crowded=crowded)
            if around.openmpi_library:
                settings = {PRELOAD_VARIABLE: around.openmpi_library, **settings}
        case Family.MPICH:
            settings = _mpich(around.agent, crowded=crowded)
        case Family.INTEL:
            settings = _intel(around.agent, crowded=crowded)
        case unknown:
            assert_never(unknown)
    if mpi.family != Family.OPENMPI and not around.names_resolve:
        # Hydra asks for each host's address before it starts anything, one after another, and
        # does without. An answer that got lost costs the default of five seconds.
        settings = {"RES_OPTIONS": "timeout:1 attempts:2", **settings}
    return {**_paths(mpi, around), **settings}


def _paths(mpi: Mpi, around: Surroundings) -> dict[str, str]:
    """Return what makes programs find this MPI, and no other, by name."""
    folder = mpi.mpirun.rpartition("/")[0]
    variables = {
        "PATH": _in_front(folder, around.path),
        # mpirun composes its command for the other hosts in the syntax of this shell.
        "SHELL": "/bin/sh",
    }
    if mpi.library:
        # mpi4py's wheels load the library that this names, and speak its binary interface.
        variables["MPI4PY_LIBMPI"] = mpi.library
        if mpi.prefix != "/usr":
            libraries = mpi.library.rpartition("/")[0]
            variables["LD_LIBRARY_PATH"] = _in_front(libraries, around.library_path)
    return variables


def _in_front(folder: str, path: str) -> str:
    rest = [entry for entry in path.split(":") if entry and entry != folder]
    return ":".join([folder, *rest])


def _openmpi(agent: str, *, crowded: bool) -> Mapping[str, str]:
    """Return Open MPI's settings, for 4 (ORTE) and 5 (PRRTE) alike: each ignores the other's."""
    return {
        "OMPI_MCA_plm_rsh_agent": agent,
        "PRTE_MCA_plm_ssh_agent": agent,
        # Locally, root is whoever started mpijob; refusing them would protect nobody.
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # Hosts share this machine's cores, so the cores of one are bound to the ranks of none.
        "OMPI_MCA_hwloc_base_binding_policy": "none",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        # As in every job of Open MPI; here it may be the machine's MPI and not the job's own.
        "PRTE_MCA_odls_base_max_threads": "0",
        # Looking for fabrics takes a second at each start, and there is none between two
        # processes of one machine; UCX also fails between the process ids of different pods.
        "OMPI_MCA_btl": "^ofi,openib,uct",
        "OMPI_MCA_mtl": "^ofi,psm,psm2",
        "OMPI_MCA_pml": "^ucx",
        "OMPI_MCA_osc": "^ucx",
        # Host names may have no address here, and none is needed; 5 does not ask by itself.
        "OMPI_MCA_if_base_do_not_resolve": "1",
        "OMPI_MCA_btl_tcp_if_include": _LOOPBACK,
        # Open MPI 5's daemons refuse to speak over loopback; its ranks do not.
        "OMPI_MCA_oob_tcp_if_include": _LOOPBACK,
        **({"OMPI_MCA_mpi_yield_when_idle": "1"} if crowded else {}),
    }


def _mpich(agent: str, *, crowded: bool) -> Mapping[str, str]:
    return {
        "HYDRA_LAUNCHER": "rsh",
        "HYDRA_LAUNCHER_EXEC": agent,
        "HYDRA_IFACE": _LOOPBACK,
        # UCX, which the wheels prefer, finds no way over loopback between two pods.
        "MPIR_CVAR_CH4_NETMOD": "ofi",
        "FI_PROVIDER": "tcp",
        "FI_TCP_IFACE": _LOOPBACK,
        **({"MPIR_CVAR_POLLS_BEFORE_YIELD": "10"} if crowded else {}),
    }


def _intel(agent: str, *, crowded: bool) -> Mapping[str, str]:
    return {
        "I_MPI_HYDRA_BOOTSTRAP": "rsh",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC": agent,
        "I_MPI_HYDRA_IFACE": _LOOPBACK,
        "I_MPI_FABRICS": "shm:ofi",
        "I_MPI_PIN": "0",
        "FI_PROVIDER": "tcp",
        "FI_TCP_IFACE": _LOOPBACK,
        **({"I_MPI_THREAD_YIELD": "2"} if crowded else {}),
    }
