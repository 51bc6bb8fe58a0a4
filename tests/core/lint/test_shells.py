"""What a job loses by what it says of the remote shell."""

import pytest

from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, ReplicaDraft
from mpijob.core.job import Flavour, Identity, Key
from mpijob.core.lint.shells import shell_findings

ENV = "spec.mpiReplicaSpecs[Launcher].template.spec.containers[0].env[0]"
ARG = "spec.mpiReplicaSpecs[Launcher].template.spec.containers[0].args"
OURS = "-F /etc/mpijob/setup/ssh_config"


def draft(flavour, variable="", value="-v", args=(), worker=None):
    """Return a job whose launcher has one variable, or runs mpirun so."""
    env = [{"name": variable, "value": value}] if variable else []
    main = {"name": "mpi", "image": "x", "command": ["mpirun"], "args": list(args), "env": env}
    other = {"name": "mpi", "image": "x", **(worker or {})}
    replicas = {
        "Launcher": ReplicaDraft(1, None, {"spec": {"containers": [main]}}),
        "Worker": ReplicaDraft(2, None, {"spec": {"containers": [other]}}),
    }
    identity = Identity(Key("default", "pi"), uid="u", version="1")
    return defaulted(Draft(identity, replicas=replicas, flavour=flavour))


def told(job):
    return [(finding.field, finding.message.split()[0]) for finding in shell_findings(job)]


AGENT = ("--mca", "plm_rsh_agent", "rsh", "-n", "2", "pi")
LOST = {
    "Hydra's arguments": (
        draft("MPICH", "HYDRA_LAUNCHER_EXTRA_ARGS"),
        [(ENV, "HYDRA_LAUNCHER_EXTRA_ARGS")],
    ),
    "Intel MPI's": (
        draft("Intel", "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS"),
        [(ENV, "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS")],
    ),
    "Open MPI 4's agent": (
        draft("OpenMPI", "OMPI_MCA_plm_rsh_agent"),
        [(ENV, "OMPI_MCA_plm_rsh_agent")],
    ),
    "Open MPI 5's agent": (
        draft("OpenMPI", "PRTE_MCA_plm_ssh_agent"),
        [(ENV, "PRTE_MCA_plm_ssh_agent")],
    ),
    "an agent on the command line": (
        draft("OpenMPI", args=AGENT),
        [(f"{ARG}[1]", "plm_rsh_agent")],
    ),
}


@pytest.mark.parametrize(("job", "want"), LOST.values(), ids=LOST)
def test_what_takes_the_place_of_ours(job, want):
    assert told(job) == want


@pytest.mark.parametrize("flavour", Flavour)
def test_what_to_do_about_it_names_our_configuration(flavour):
    every = [job for job, _ in LOST.values() if job.flavour == flavour]
    hints = [finding.hint for job in every for finding in shell_findings(job)]
    assert [hint for hint in hints if f"“{OURS}”" not in hint] == []


KEPT = {
    "nothing": draft("MPICH"),
    "arguments that name ours too": draft("MPICH", "HYDRA_LAUNCHER_EXTRA_ARGS", f"-v {OURS}"),
    "arguments for ssh alone, which Open MPI adds": draft("OpenMPI", "OMPI_MCA_plm_rsh_args"),
    "a variable of another flavour": draft("OpenMPI", "HYDRA_LAUNCHER_EXTRA_ARGS"),
    "workers that run an sshd of their own": draft(
        "MPICH", "HYDRA_LAUNCHER_EXTRA_ARGS", worker={"args": ["sshd"]}
    ),
    "an agent that only Open MPI knows": draft("MPICH", args=AGENT),
}


@pytest.mark.parametrize("job", KEPT.values(), ids=KEPT)
def test_nothing_is_lost_by(job):
    assert told(job) == []


def test_mpi_operators_name_for_hydras_arguments_is_no_name_of_hydras():
    [finding] = shell_findings(draft("MPICH", "HYDRA_LAUNCH_EXTRA_ARGS"))
    assert (finding.field, finding.hint) == (
        f"{ENV}.name",
        'Did you mean "HYDRA_LAUNCHER_EXTRA_ARGS"?',
    )
