"""Intel MPI, whose Hydra has variables of its own."""

from mpijob.core import names


def slots_suffix(slots: int) -> str:
    """Return what follows the host's name in a line of the hostfile."""
    return f":{slots}"


def env(slots: int, ssh_options: str | None) -> dict[str, str]:
    """Return the launcher's variables.

    Hydra takes the shell's options in a variable of their own. Where we have options to give, they
    stand in place of mpi-operator's: the configuration that they name says the same and more.

    Source: `intelEnvVars`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    shell = {}
    if ssh_options is not None:
        options = ssh_options or "-o ConnectionAttempts=10"
        shell["I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS"] = options
    return {
        "I_MPI_HYDRA_HOST_FILE": names.HOSTFILE_PATH,
        **shell,
        "I_MPI_PERHOST": str(slots),
    }


def exec_env(agent: str) -> dict[str, str]:
    """Return what tells the launcher to start ranks by `agent`.

    Source: `newLauncher`, training-operator v1.9 (pkg/controller.v1/mpi).
    """
    return {"I_MPI_HYDRA_BOOTSTRAP": "rsh", "I_MPI_HYDRA_BOOTSTRAP_EXEC": agent}


def on_host_env(*, runs_ranks: bool) -> dict[str, str]:  # noqa: ARG001
    """Return what a launcher on its node's network needs besides: nothing, Hydra goes by names."""
    return {}
