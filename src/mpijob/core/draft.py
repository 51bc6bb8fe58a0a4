"""An MPIJob as it was written: fields may be missing or wrong. Defaults and rules make a job of it.

The wire's decoders produce drafts, `default` fills in what was left unsaid, `validate` says all
that is wrong, and `job` turns a sound draft into an `MPIJob`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpijob.core.job import (
    Identity,
    Manifest,
    SchedulingPolicy,
)
from mpijob.core.status import JobStatus

LAUNCHER = "Launcher"
WORKER = "Worker"


@dataclass(frozen=True, slots=True)
class ReplicaDraft:
    """One entry of `spec.mpiReplicaSpecs`, as written."""

    count: int | None = None
    restart_policy: str | None = None
    template: Manifest = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """An MPIJob as written, one field each for the wire's; None where nothing was said.

    `replicas` is keyed as on the wire: `Launcher`, `Worker`, and whatever else a user wrote.
    """

    identity: Identity
    replicas: Mapping[str, ReplicaDraft] | None = None
    slots_per_worker: int | None = None
    run_launcher_as_worker: bool | None = None
    clean_pods: str | None = None
    ttl_s: int | None = None
    active_deadline_s: int | None = None
    backoff_limit: int | None = None
    scheduling: SchedulingPolicy | None = None
    suspended: bool | None = None
    managed_by: str | None = None
    ssh_auth_mount_path: str | None = None
    launcher_start: str | None = None
    flavour: str | None = None
    status: JobStatus = JobStatus()
