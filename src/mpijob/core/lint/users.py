"""Who the containers run as, beside where the ssh keys go and what mpirun is told."""

from collections.abc import Iterator

from mpijob.core.draft import LAUNCHER, Draft
from mpijob.core.finding import Finding, advice, warning
from mpijob.core.job import Flavour
from mpijob.core.lint.launches import Launch, launches
from mpijob.core.lint.templates import ROLES, main_container, user_id, variables

_ROOT_FLAG = "allow-run-as-root"
_ROOT_VARIABLES = ("OMPI_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT")


def user_findings(draft: Draft) -> Iterator[Finding]:
    """Yield where the users that a job names do not fit what it says elsewhere."""
    yield from _key_findings(draft)
    container = main_container(draft, LAUNCHER)
    if container is None:
        return
    for launch in launches(container):
        yield from _root_findings(draft, launch, variables(container))


def _key_findings(draft: Draft) -> Iterator[Finding]:
    """Yield where the keys go to a home that is not the user's."""
    path = draft.ssh_auth_mount_path or ""
    uids = {role: user_id(draft, role) for role in ROLES if role in (draft.replicas or {})}
    at_root = path == "/root" or path.startswith("/root/")
    others = [role for role, uid in uids.items() if uid not in (None, 0)]
    roots = [role for role, uid in uids.items() if uid == 0]
    if at_root and others:
        yield warning(
            "spec.sshAuthMountPath",
            f"{path} is root's, but the {others[0].lower()} runs as uid {uids[others[0]]}",
            "Name the .ssh folder of that user: /home/USER/.ssh.",
        )
    elif path.startswith("/home/") and roots:
        yield warning(
            "spec.sshAuthMountPath",
            f"{path} is no folder of root's, but the {roots[0].lower()} runs as uid 0",
            "Leave it out for /root/.ssh, or set runAsUser.",
        )


def _root_findings(draft: Draft, launch: Launch, environment: dict[str, str]) -> Iterator[Finding]:
    """Yield where mpirun is told about root and it does not fit."""
    if launch.program == "horovodrun":
        return
    uid = user_id(draft, LAUNCHER)
    flag = next((option for option in launch.options if option.name == _ROOT_FLAG), None)
    open_mpi = draft.flavour == Flavour.OPEN_MPI.value
    if flag is not None and not open_mpi:
        yield warning(
            flag.field,
            f"--{_ROOT_FLAG} is Open MPI's; {draft.flavour} does not know it",
            "Leave it out, or set spec.mpiImplementation: OpenMPI.",
        )
    elif flag is not None and uid not in (None, 0):
        yield advice(
            flag.field,
            f"--{_ROOT_FLAG}, but the launcher runs as uid {uid}",
            "Leave it out.",
        )
    elif flag is None and open_mpi and uid == 0 and not set(_ROOT_VARIABLES) & set(environment):
        yield warning(
            launch.field,
            f"the launcher runs as root, which Open MPI refuses without --{_ROOT_FLAG}",
            f"Add --{_ROOT_FLAG}, or run as another user.",
        )
