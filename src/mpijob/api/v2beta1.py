"""kubeflow.org/v2beta1: what its spec means. The other versions are read as jobs of this one."""

from mpijob.api.wire import RunPolicyWire, SpecWire, roles_of, scheduling_of
from mpijob.core.draft import Draft
from mpijob.core.job import Identity
from mpijob.core.status import JobStatus


def draft(spec: SpecWire, identity: Identity, status: JobStatus) -> Draft:
    """Return the draft of a job that was written in v2beta1."""
    policy = spec.run_policy or RunPolicyWire()
    return Draft(
        identity=identity,
        replicas=roles_of(spec),
        slots_per_worker=spec.slots_per_worker,
        run_launcher_as_worker=spec.run_launcher_as_worker,
        clean_pods=policy.clean_pod_policy,
        ttl_s=policy.ttl_seconds_after_finished,
        active_deadline_s=policy.active_deadline_seconds,
        backoff_limit=policy.backoff_limit,
        scheduling=scheduling_of(policy.scheduling_policy),
        suspended=policy.suspend,
        managed_by=policy.managed_by,
        ssh_auth_mount_path=spec.ssh_auth_mount_path,
        launcher_start=spec.launcher_creation_policy,
        flavour=spec.mpi_implementation,
        status=status,
    )
