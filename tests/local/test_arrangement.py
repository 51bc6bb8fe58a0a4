"""What a job's pods have of this machine: its MPI, its hosts, its node."""

import pytest

from mpijob.core.job import Flavour, Identity, Key, MPIJob, Replica, RestartPolicy
from mpijob.local.arrangement import chosen_mpi, hosts_of, hosts_text, node_of
from mpijob.local.machine import Machine
from mpijob.local.mpi import Family, Mpi
from mpijob.local.settings import Settings

OPENMPI = Mpi(Family.OPENMPI, "5.0.11", "/venv", "/venv/bin/mpirun", "")
OLDER = Mpi(Family.OPENMPI, "4.1.4", "/usr", "/usr/bin/mpirun", "")
MPICH = Mpi(Family.MPICH, "5.0.2", "/mpich", "/mpich/bin/mpirun", "")
BOX = Machine(3500, 1 << 30, ("0", "1"), "box", "ada", is_root=False)

CHOICES = {
    "that of the job's flavour": ([MPICH, OPENMPI], Flavour.OPEN_MPI, "", OPENMPI),
    "the first of several": ([OPENMPI, OLDER], Flavour.OPEN_MPI, "", OPENMPI),
    "MPICH stands in for Intel MPI": ([MPICH], Flavour.INTEL, "", MPICH),
    "the family that the person says": ([OPENMPI, MPICH], Flavour.OPEN_MPI, "mpich", MPICH),
    "the mpirun that the person says": (
        [OPENMPI, OLDER],
        Flavour.OPEN_MPI,
        "/usr/bin/mpirun",
        OLDER,
    ),
    "the prefix that the person says": ([OPENMPI, OLDER], Flavour.MPICH, "/usr", OLDER),
    "the bin folder that the person says": ([OPENMPI, OLDER], Flavour.MPICH, "/usr/bin/", OLDER),
}


@pytest.mark.parametrize(("mpis", "flavour", "wanted", "want"), CHOICES.values(), ids=CHOICES)
def test_the_mpi_of_a_job_is(mpis, flavour, wanted, want):
    assert chosen_mpi(mpis, flavour, wanted) == want


NONE = "and no such MPI is found on this machine"
ADVICE = "install one with: pip install 'mpijob"
OTHER = "or run it with --mpi openmpi"
MISSES = {
    "none at all": (
        [],
        Flavour.OPEN_MPI,
        "",
        f"the job is for OpenMPI, {NONE} (found: none at all); {ADVICE}[local]'",
    ),
    "another one": (
        [OPENMPI],
        Flavour.MPICH,
        "",
        f"the job is for MPICH, {NONE} (found: Open MPI 5.0.11); {ADVICE}[mpich]', {OTHER}",
    ),
    "nothing where the person says": (
        [OPENMPI],
        Flavour.OPEN_MPI,
        "/opt/mpi",
        "there is no MPI at /opt/mpi: name an mpirun, or the folder that its bin is in",
    ),
}


@pytest.mark.parametrize(("mpis", "flavour", "wanted", "want"), MISSES.values(), ids=MISSES)
def test_a_missing_mpi_is_told_with_what_to_do(mpis, flavour, wanted, want):
    assert chosen_mpi(mpis, flavour, wanted) == want


def job(workers):
    template = {"spec": {"containers": [{"name": "mpi"}]}}
    return MPIJob(
        Identity(Key("team", "pi"), "uid", "1"),
        launcher=Replica(1, RestartPolicy.NEVER, template),
        worker=Replica(workers, RestartPolicy.NEVER, template),
    )


def test_the_hosts_of_a_job_are_its_launchers_and_its_workers():
    assert hosts_of(job(2)) == ("pi-launcher", "pi-worker-0", "pi-worker-1")


def test_every_host_has_an_address_of_its_own_and_so_have_those_that_may_come():
    rows = [line.split() for line in hosts_text(job(2)).splitlines() if ".pi.team.svc" in line]
    assert (rows[:2], len({row[0] for row in rows}) == len(rows) > 60) == (
        [
            ["127.0.1.1", "pi-launcher.pi.team.svc", "pi-launcher"],
            ["127.0.1.2", "pi-worker-0.pi.team.svc", "pi-worker-0"],
        ],
        True,
    )


def test_the_machine_is_a_node_with_what_this_process_may_use():
    node = node_of(BOX, Settings())
    assert (node.name, dict(node.capacity)) == (
        "box",
        {"cpu": "3500m", "memory": "1073741824", "nvidia.com/gpu": "2"},
    )
