"""What an MPIJob says where its author said nothing."""

from dataclasses import replace

from mpijob.core.draft import LAUNCHER, WORKER, Draft, ReplicaDraft
from mpijob.core.job import CleanPodPolicy, Flavour, LauncherStart, RestartPolicy

SSH_AUTH_MOUNT_PATH = "/root/.ssh"

_COUNTS = {LAUNCHER: 1, WORKER: 0}
_RESTART_POLICIES = {LAUNCHER: RestartPolicy.ON_FAILURE, WORKER: RestartPolicy.NEVER}


def defaulted(draft: Draft) -> Draft:
    """Return `draft` with every field filled in that has a default.

    A worker's count becomes 0, which the rules then refuse: a job must say how many workers it
    wants. An empty `managedBy` means the same as none, as the field's documentation has it.

    Source: `SetDefaults_MPIJob`, mpi-operator v0.8.2 (pkg/apis/kubeflow/v2beta1/default.go).
    """
    return replace(
        draft,
        replicas=draft.replicas
        and {role: _replica(role, replica) for role, replica in draft.replicas.items()},
        slots_per_worker=1 if draft.slots_per_worker is None else draft.slots_per_worker,
        clean_pods=CleanPodPolicy.NONE.value if draft.clean_pods is None else draft.clean_pods,
        managed_by=draft.managed_by or None,
        ssh_auth_mount_path=draft.ssh_auth_mount_path or SSH_AUTH_MOUNT_PATH,
        launcher_start=draft.launcher_start or LauncherStart.AT_STARTUP.value,
        flavour=draft.flavour or Flavour.OPEN_MPI.value,
    )


def _replica(role: str, replica: ReplicaDraft) -> ReplicaDraft:
    """Return one role's entry with its defaults; a role that nobody knows has none."""
    if replica.count is not None and replica.restart_policy:
        return replica
    return ReplicaDraft(
        count=_COUNTS.get(role) if replica.count is None else replica.count,
        restart_policy=replica.restart_policy or _RESTART_POLICIES.get(role),
        template=replica.template,
    )
