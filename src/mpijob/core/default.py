"""What an MPIJob says where its author said nothing, each version in its own way."""

from collections.abc import Mapping

from msgspec.structs import replace

from mpijob.core import options
from mpijob.core.draft import LAUNCHER, WORKER, Draft, ReplicaDraft
from mpijob.core.job import CleanPodPolicy, Flavour, LauncherStart, RestartPolicy
from mpijob.core.version import Version

SSH_AUTH_MOUNT_PATH = "/root/.ssh"
_FLAVOURS = frozenset(Flavour)

_NEVER, _ON_FAILURE, _ALWAYS = RestartPolicy.NEVER, RestartPolicy.ON_FAILURE, RestartPolicy.ALWAYS
_COUNTS = {
    Version.V1ALPHA1: {LAUNCHER: 1, WORKER: 1},
    # mpi-operator's crashes where the workers' number is not said.
    Version.V1ALPHA2: {LAUNCHER: 1, WORKER: 1},
    Version.V1: {LAUNCHER: 1, WORKER: 0},
    Version.V2BETA1: {LAUNCHER: 1, WORKER: 0},
}


def defaulted(draft: Draft) -> Draft:
    """Return `draft` with every field filled in that has a default.

    A v2beta1 worker's count becomes 0, which the rules then refuse: a job must say how many workers
    it wants. An empty `managedBy` means the same as none, as the field's documentation has it.

    Source: `SetDefaults_MPIJob`, mpi-operator v0.8.2 (pkg/apis/kubeflow/v2beta1/default.go), and
    for the others its v0.3.0 and the training-operator v1.9.
    """
    version = draft.identity.written_in
    replicas = draft.replicas and {
        role: _replica(version, role, replica) for role, replica in draft.replicas.items()
    }
    if version is Version.V1:
        replicas = replicas and _without_empty_workers(replicas)
        draft = replace(draft, backoff_limit=_v1_backoff_limit(draft, replicas or {}))
    return replace(
        draft,
        replicas=replicas,
        slots_per_worker=1 if draft.slots_per_worker is None else draft.slots_per_worker,
        clean_pods=CleanPodPolicy.NONE.value if draft.clean_pods is None else draft.clean_pods,
        managed_by=draft.managed_by or None,
        ssh_auth_mount_path=draft.ssh_auth_mount_path or SSH_AUTH_MOUNT_PATH,
        launcher_start=draft.launcher_start or LauncherStart.AT_STARTUP.value,
        flavour=draft.flavour or _flavour(draft.identity.annotations).value,
    )


def _flavour(annotations: Mapping[str, str]) -> Flavour:
    """Return which MPI a job is for whose spec does not say; a word that is none does not count."""
    said = annotations.get(options.MPI_IMPLEMENTATION)
    return Flavour(said) if said in _FLAVOURS else Flavour.OPEN_MPI


def _replica(version: Version, role: str, replica: ReplicaDraft) -> ReplicaDraft:
    """Return one role's entry with its defaults; a role that nobody knows has none."""
    count = _COUNTS[version].get(role) if replica.count is None else replica.count
    policy = _restart_policy(version, role, replica.restart_policy)
    if (count, policy) == (replica.count, replica.restart_policy):
        return replica
    return ReplicaDraft(count, policy, replica.template)


def _restart_policy(version: Version, role: str, written: str | None) -> str | None:
    """Return when a role's containers start again, in words that pods and Jobs know.

    The workers of the alpha versions were a StatefulSet's, and its pods always start again. A Job's
    never do so always.
    """
    if role not in (LAUNCHER, WORKER):
        return written
    match version:
        case Version.V1ALPHA1 | Version.V1ALPHA2:
            launcher = _NEVER if written == _NEVER else _ON_FAILURE
            return (launcher if role == LAUNCHER else _ALWAYS).value
        case Version.V1:
            if written == _ALWAYS and role == LAUNCHER:
                return _ON_FAILURE.value
            return _NEVER.value if written in (None, "", "ExitCode") else written
        case Version.V2BETA1:
            return written or (_ON_FAILURE if role == LAUNCHER else _NEVER).value


def _without_empty_workers(replicas: Mapping[str, ReplicaDraft]) -> Mapping[str, ReplicaDraft]:
    """Return the roles of a v1 job, less the workers where there are to be none of them."""
    worker = replicas.get(WORKER)
    none = worker is not None and worker.count == 0
    return {role: of for role, of in replicas.items() if not (none and role == WORKER)}


def _v1_backoff_limit(draft: Draft, replicas: Mapping[str, ReplicaDraft]) -> int | None:
    """Return how often a v1 job is tried again: a launcher was a bare pod, and so ran once."""
    launcher = replicas.get(LAUNCHER)
    once = launcher is not None and launcher.restart_policy == _NEVER
    return 0 if draft.backoff_limit is None and once else draft.backoff_limit
