"""MPICH, with its process manager Hydra."""

from mpijob.core import names


def slots_suffix(slots: int) -> str:
    """Return what follows the host's name in a line of the hostfile."""
    return f":{slots}"


def env(slots: int, ssh_options: str | None) -> dict[str, str]:  # noqa: ARG001
    """Return the launcher's variables. Slots are in the hostfile alone.

    mpi-operator's name for the shell's options is not one that Hydra reads; the right one stands
    beside it.

    Source: `mpichEnvVars`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    shell = {}
    if ssh_options is not None:
        shell = {
            "HYDRA_LAUNCH_EXTRA_ARGS": "-o ConnectionAttempts=10",
            "HYDRA_LAUNCHER_EXTRA_ARGS": ssh_options or "-o ConnectionAttempts=10",
        }
    return {"HYDRA_HOST_FILE": names.HOSTFILE_PATH, **shell}


def exec_env(agent: str) -> dict[str, str]:
    """Return what tells the launcher to start ranks by `agent`."""
    return {"HYDRA_LAUNCHER": "rsh", "HYDRA_LAUNCHER_EXEC": agent}


def on_host_env(*, runs_ranks: bool) -> dict[str, str]:
    """Return what a launcher on its node's network needs besides: Hydra goes by addresses."""
    return {} if runs_ranks else {"HYDRA_LAUNCHER_AUTOFORK": "false"}
