"""Open MPI, both families: 4 and older read ORTE's variables, 5 and later PRRTE's.

Each ignores the other's, so every variable has its twin. Without it Open MPI 5 knows of no host
but its own, runs all ranks in the launcher's pod, and calls that a success.
"""

from mpijob.core import names


def slots_suffix(slots: int) -> str:
    """Return what follows the host's name in a line of the hostfile."""
    return f" slots={slots}"


def env(slots: int, ssh_options: str | None) -> dict[str, str]:
    """Return the launcher's variables: ORTE's as mpi-operator sets them, then PRRTE's.

    PRRTE loses the `=` of an argument from the second hop on, so it is given none: its twin of
    `plm_rsh_args` would break jobs of more than 64 hosts. It wants short names where ORTE wants
    full ones, else a launcher that runs ranks itself is reached by ssh, and no sshd is there. Its
    daemons start ranks from threads of theirs, and miss the end of a rank that ends before the
    thread has noted its pid: mpirun then waits for ever. So it gets no threads for that.

    `OMPI_ALLOW_RUN_AS_ROOT` is not set, as in mpi-operator: running as root is for the job to say.

    Source: `ompiEnvVars`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    orte = {
        "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
        "OMPI_MCA_orte_default_hostfile": names.HOSTFILE_PATH,
    }
    shell = {}
    if ssh_options is not None:
        orte["OMPI_MCA_plm_rsh_args"] = "-o ConnectionAttempts=10"
    if ssh_options:
        agent = f"sh {names.SETUP_DIR}/{names.SSH_WITH_ENVIRONMENT} {ssh_options}"
        shell = {"OMPI_MCA_plm_rsh_agent": agent, "PRTE_MCA_plm_ssh_agent": agent}
    return {
        **orte,
        "OMPI_MCA_orte_set_default_slots": str(slots),
        "PRTE_MCA_prte_keep_fqdn_hostnames": "false",
        "PRTE_MCA_prte_default_hostfile": names.HOSTFILE_PATH,
        "PRTE_MCA_prte_set_default_slots": str(slots),
        "PRTE_MCA_odls_base_max_threads": "0",
        **shell,
    }


def exec_env(agent: str) -> dict[str, str]:
    """Return what tells the launcher to start ranks by `agent`.

    The launcher starts every daemon itself, none has another do so: only the launcher may execute
    in pods. More than 64 hosts would else be reached by way of others.
    """
    return {
        "OMPI_MCA_plm_rsh_agent": agent,
        "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
        "PRTE_MCA_plm_ssh_agent": agent,
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
    }


def on_host_env(*, runs_ranks: bool) -> dict[str, str]:
    """Return what a launcher on its node's network needs besides.

    Open MPI 4 goes by addresses unless it is told not to, PRRTE only if it is told to.
    """
    if runs_ranks:
        return {"PRTE_MCA_prte_do_not_resolve": "false"}
    return {"OMPI_MCA_if_base_do_not_resolve": "true"}
