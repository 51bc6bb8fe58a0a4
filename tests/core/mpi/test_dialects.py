"""Each MPI is told of its hosts in its own words."""

import pytest

from mpijob.core import mpi
from mpijob.core.job import Flavour

LINES = {
    Flavour.OPEN_MPI: " slots=2",
    Flavour.INTEL: ":2",
    Flavour.MPICH: ":2",
}


@pytest.mark.parametrize("flavour", Flavour)
def test_a_line_of_the_hostfile(flavour):
    assert mpi.dialect(flavour).slots_suffix(2) == LINES[flavour]


# As mpi-operator v0.8.2 sets them, where the image brings its own ssh.
THEIRS = {
    Flavour.OPEN_MPI: {
        "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
        "OMPI_MCA_orte_default_hostfile": "/etc/mpi/hostfile",
        "OMPI_MCA_plm_rsh_args": "-o ConnectionAttempts=10",
        "OMPI_MCA_orte_set_default_slots": "2",
    },
    Flavour.INTEL: {
        "I_MPI_HYDRA_HOST_FILE": "/etc/mpi/hostfile",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS": "-o ConnectionAttempts=10",
        "I_MPI_PERHOST": "2",
    },
    Flavour.MPICH: {
        "HYDRA_HOST_FILE": "/etc/mpi/hostfile",
        "HYDRA_LAUNCH_EXTRA_ARGS": "-o ConnectionAttempts=10",
    },
}


@pytest.mark.parametrize("flavour", Flavour)
def test_mpi_operators_variables_come_first_and_in_its_order(flavour):
    ours = list(mpi.dialect(flavour).env(2, "").items())
    theirs = list(THEIRS[flavour].items())
    assert [entry for entry in ours if entry in theirs] == theirs


TWINS = {
    "OMPI_MCA_orte_default_hostfile": "PRTE_MCA_prte_default_hostfile",
    "OMPI_MCA_orte_set_default_slots": "PRTE_MCA_prte_set_default_slots",
    "OMPI_MCA_orte_keep_fqdn_hostnames": "PRTE_MCA_prte_keep_fqdn_hostnames",
    "OMPI_MCA_plm_rsh_agent": "PRTE_MCA_plm_ssh_agent",
}


def test_open_mpi_5_is_told_all_that_open_mpi_4_is_defect_1():
    env = mpi.dialect(Flavour.OPEN_MPI).env(2, "-F config")
    # Open MPI 5 loses what follows an equals sign, so that the options of ssh have no twin.
    told = {name for name in env if name.startswith("OMPI_")} - {"OMPI_MCA_plm_rsh_args"}
    assert {TWINS[name] for name in told} <= env.keys()


def test_open_mpi_5_does_not_miss_the_end_of_a_rank_that_ends_at_once():
    assert mpi.dialect(Flavour.OPEN_MPI).env(2, "")["PRTE_MCA_odls_base_max_threads"] == "0"


def test_no_argument_of_prrte_has_an_equals_sign():
    env = mpi.dialect(Flavour.OPEN_MPI).env(2, "-F config")
    assert [n for n, value in env.items() if n.startswith("PRTE_") and "=" in value] == []


AGENT = "sh /etc/mpijob/setup/ssh_with_environment.sh -F config"
AGENTS = {
    Flavour.OPEN_MPI: {
        "OMPI_MCA_plm_rsh_agent": AGENT,
        "PRTE_MCA_plm_ssh_agent": AGENT,
        "OMPI_MCA_plm_rsh_args": "-o ConnectionAttempts=10",
    },
    Flavour.INTEL: {"I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS": "-F config"},
    Flavour.MPICH: {
        "HYDRA_LAUNCH_EXTRA_ARGS": "-o ConnectionAttempts=10",
        "HYDRA_LAUNCHER_EXTRA_ARGS": "-F config",
    },
}


@pytest.mark.parametrize("flavour", Flavour)
def test_an_ssh_set_up_of_ours_is_named(flavour):
    env = mpi.dialect(flavour).env(2, "-F config")
    assert {name: env[name] for name in AGENTS[flavour]} == AGENTS[flavour]


@pytest.mark.parametrize("flavour", Flavour)
def test_without_ssh_nothing_is_said_of_it(flavour):
    told = mpi.dialect(flavour).env(2, None)
    assert [name for name, value in told.items() if "ssh" in name + value or "-o " in value] == []


# What each needs where the launcher has its node's address: first as a launcher alone, then as one
# that runs ranks itself. What comes of it, tests/core/transport/test_ssh_for_real.py shows.
ON_HOST = {
    Flavour.OPEN_MPI: (
        {"OMPI_MCA_if_base_do_not_resolve": "true"},
        {"PRTE_MCA_prte_do_not_resolve": "false"},
    ),
    Flavour.INTEL: ({}, {}),
    Flavour.MPICH: ({"HYDRA_LAUNCHER_AUTOFORK": "false"}, {}),
}


@pytest.mark.parametrize("flavour", Flavour)
def test_no_worker_is_taken_for_the_launcher_by_its_address(flavour):
    told = mpi.dialect(flavour).on_host_env
    assert (told(runs_ranks=False), told(runs_ranks=True)) == ON_HOST[flavour]
