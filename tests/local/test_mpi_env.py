"""The variables that let an MPI run over hosts that share one machine."""

import pytest

from mpijob.local.mpi import Family, Mpi
from mpijob.local.mpi_env import Surroundings, environment

AROUND = Surroundings("/run/rsh", rank_count=4, cpu_count=2, path="/usr/bin:/bin")


def mpi(family, prefix="/opt/mpi", library="/opt/mpi/lib/libmpi.so.1"):
    return Mpi(family, "5.0", prefix, f"{prefix}/bin/mpirun", library)


AGENTS = {
    Family.OPENMPI: ("OMPI_MCA_plm_rsh_agent", "PRTE_MCA_plm_ssh_agent"),
    Family.MPICH: ("HYDRA_LAUNCHER_EXEC",),
    Family.INTEL: ("I_MPI_HYDRA_BOOTSTRAP_EXEC",),
}


@pytest.mark.parametrize("family", list(Family))
def test_the_launcher_uses_the_agent(family):
    env = environment(mpi(family), AROUND)
    assert [env[name] for name in AGENTS[family]] == ["/run/rsh" for _ in AGENTS[family]]


YIELDS = {
    Family.OPENMPI: "OMPI_MCA_mpi_yield_when_idle",
    Family.MPICH: "MPIR_CVAR_POLLS_BEFORE_YIELD",
    Family.INTEL: "I_MPI_THREAD_YIELD",
}


@pytest.mark.parametrize(("ranks", "yields"), [(2, False), (3, True)])
@pytest.mark.parametrize("family", list(Family))
def test_ranks_yield_where_they_outnumber_the_cpus(family, ranks, yields):
    env = environment(mpi(family), Surroundings("/run/rsh", ranks, 2))
    assert (YIELDS[family] in env) is yields


def test_programs_find_this_mpi_first():
    around = Surroundings("/run/rsh", 1, 1, path="/opt/other/bin:/opt/mpi/bin", library_path="/l")
    env = environment(mpi(Family.MPICH), around)
    names = ("PATH", "LD_LIBRARY_PATH", "MPI4PY_LIBMPI")
    assert [env[name] for name in names] == [
        "/opt/mpi/bin:/opt/other/bin",
        "/opt/mpi/lib:/l",
        "/opt/mpi/lib/libmpi.so.1",
    ]


def test_the_systems_own_libraries_are_found_without_being_named():
    env = environment(mpi(Family.OPENMPI, "/usr", "/usr/lib/libmpi.so.40"), AROUND)
    assert "LD_LIBRARY_PATH" not in env


def test_a_library_that_was_not_found_is_not_named():
    assert "MPI4PY_LIBMPI" not in environment(mpi(Family.OPENMPI, library=""), AROUND)


@pytest.mark.parametrize("family", list(Family))
def test_nothing_says_that_more_ranks_may_start_than_there_are_slots(family):
    said = " ".join(environment(mpi(family), AROUND).values()).lower()
    assert "oversubscribe" not in said


@pytest.mark.parametrize(("family", "asks"), [(Family.MPICH, True), (Family.OPENMPI, False)])
def test_a_launcher_that_asks_for_addresses_in_vain_does_not_wait_for_them_long(family, asks):
    env = environment(mpi(family), Surroundings("/run/rsh", 1, 1, names_resolve=False))
    assert ("RES_OPTIONS" in env) is asks


@pytest.mark.parametrize(("family", "loads"), [(Family.OPENMPI, True), (Family.MPICH, False)])
def test_open_mpi_alone_has_its_library_loaded(family, loads):
    env = environment(mpi(family), Surroundings("/run/rsh", 1, 1, openmpi_library="/run/o.so"))
    assert ("/run/o.so" in env.values()) is loads
