"""What a job says of the remote shell, where that takes our own word's place."""

from collections.abc import Iterator

from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.finding import Finding, warning
from mpijob.core.job import Flavour
from mpijob.core.lint.launches import launches
from mpijob.core.lint.templates import Part, main_container
from mpijob.core.transport import ssh

#: By flavour: the variables by which we name our ssh configuration. A user's replaces ours whole.
_VARIABLES = {
    Flavour.OPEN_MPI: ("OMPI_MCA_plm_rsh_agent", "PRTE_MCA_plm_ssh_agent"),
    Flavour.INTEL: ("I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS",),
    Flavour.MPICH: ("HYDRA_LAUNCHER_EXTRA_ARGS",),
}
#: mpirun's parameters that stand before those variables.
_PARAMETERS = ("plm_rsh_agent", "plm_ssh_agent", "orte_rsh_agent", "pls_rsh_agent")
#: mpi-operator's name for Hydra's variable, and Hydra's own.
_MISNAMED = ("HYDRA_LAUNCH_EXTRA_ARGS", "HYDRA_LAUNCHER_EXTRA_ARGS")


def shell_findings(draft: Draft) -> Iterator[Finding]:
    """Yield what a launcher loses by what it says of the remote shell."""
    launcher, worker = main_container(draft, LAUNCHER), main_container(draft, WORKER)
    if launcher is None:
        return
    if draft.flavour == Flavour.MPICH.value:
        yield from _misnamed(launcher)
    if worker is None or worker.value.get("command") or worker.value.get("args"):
        return
    said = (*_variables(draft, launcher), *_parameters(draft, launcher))
    for name, value, field in said:
        if ssh.OPTIONS not in value:
            yield warning(
                field,
                f"{name} replaces mpijob's own: on a cluster, ssh then finds neither port nor keys",
                f"Put “{ssh.OPTIONS}” into it, or give the workers a command that runs your sshd.",
            )


def _misnamed(launcher: Part) -> Iterator[Finding]:
    for entry in launcher.parts("env"):
        if entry.text("name") == _MISNAMED[0]:
            message = f"Hydra does not read {_MISNAMED[0]}"
            yield warning(f"{entry.path}.name", message, f'Did you mean "{_MISNAMED[1]}"?')


def _variables(draft: Draft, launcher: Part) -> Iterator[tuple[str, str, str]]:
    """Yield the variables of the launcher that replace ours: name, value and path."""
    ours = next((names for flavour, names in _VARIABLES.items() if flavour == draft.flavour), ())
    for entry in launcher.parts("env"):
        if entry.text("name") in ours:
            yield entry.text("name"), entry.text("value"), entry.path


def _parameters(draft: Draft, launcher: Part) -> Iterator[tuple[str, str, str]]:
    """Yield the parameters of mpirun that replace ours: name, value and path."""
    if draft.flavour != Flavour.OPEN_MPI.value:
        return
    for option in (option for launch in launches(launcher) for option in launch.options):
        match option.values:
            case (name, value) if name in _PARAMETERS:
                yield name, value, option.field
