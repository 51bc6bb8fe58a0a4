"""An MPIJob on the wire: the fields of all its versions in one struct, as in its definition.

What a version does not know is not pruned from a job that was written in another, so every version
reads the same object. Each reads of it what it knows.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from mpijob.api.status import StatusWire
from mpijob.core.draft import WORKER, ReplicaDraft
from mpijob.core.job import SchedulingPolicy

Int32 = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Something(msgspec.Struct):
    """A value of which only that it is there is of interest."""


class FieldsWire(msgspec.Struct):
    """`fieldsV1`: whether a writer has written anything of the spec."""

    spec: _Something | None = msgspec.field(name="f:spec", default=None)


class ManagedWire(msgspec.Struct, rename="camel"):
    """One entry of `metadata.managedFields`: in which version a writer wrote, and when."""

    api_version: str | None = None
    subresource: str | None = None
    time: datetime | None = None
    fields: FieldsWire | None = msgspec.field(name="fieldsV1", default=None)


class MetadataWire(msgspec.Struct):
    """`metadata`, as far as it is read."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    version: str | None = msgspec.field(name="resourceVersion", default=None)
    created_at: datetime | None = msgspec.field(name="creationTimestamp", default=None)
    deleted_at: datetime | None = msgspec.field(name="deletionTimestamp", default=None)
    generation: int | None = None
    annotations: dict[str, str] | None = None
    managed: list[ManagedWire] | None = msgspec.field(name="managedFields", default=None)


class ReplicaWire(msgspec.Struct):
    """One entry of `spec.mpiReplicaSpecs`."""

    replicas: Int32 | None = None
    restart_policy: str | None = msgspec.field(name="restartPolicy", default=None)
    template: dict[str, Any] | None = None


class SchedulingWire(msgspec.Struct, rename="camel"):
    """`spec.runPolicy.schedulingPolicy`."""

    min_available: Int32 | None = None
    queue: str | None = None
    min_resources: dict[str, str | int | float] | None = None
    priority_class: str | None = None
    schedule_timeout_seconds: Int32 | None = None


class RunPolicyWire(msgspec.Struct, rename="camel"):
    """`spec.runPolicy`."""

    clean_pod_policy: str | None = None
    ttl_seconds_after_finished: Int32 | None = None
    active_deadline_seconds: Int64 | None = None
    backoff_limit: Int32 | None = None
    scheduling_policy: SchedulingWire | None = None
    suspend: bool | None = None
    managed_by: str | None = None


class SpecWire(msgspec.Struct, rename="camel"):
    """`spec`: the fields of v2beta1, then those of v1 and v1alpha2, then v1alpha1's."""

    slots_per_worker: Int32 | None = None
    run_launcher_as_worker: bool | None = None
    run_policy: RunPolicyWire | None = None
    roles: dict[str, ReplicaWire | None] | None = msgspec.field(
        name="mpiReplicaSpecs", default=None
    )
    ssh_auth_mount_path: str | None = None
    launcher_creation_policy: str | None = None
    mpi_implementation: str | None = None

    clean_pod_policy: str | None = None
    main_container: str | None = None
    backoff_limit: Int32 | None = None
    active_deadline_seconds: Int64 | None = None
    mpi_distribution: str | None = None

    gpus: Int32 | None = None
    gpus_per_node: Int32 | None = None
    processing_units: Int32 | None = None
    processing_units_per_node: Int32 | None = None
    processing_resource_type: str | None = None
    launcher_on_master: bool | None = None
    replicas: Int32 | None = None
    template: dict[str, Any] | None = None


class HeadWire(msgspec.Struct):
    """An MPIJob but for its spec: which it is, and what was told of it."""

    api_version: str | None = msgspec.field(name="apiVersion", default=None)
    metadata: MetadataWire | None = None
    status: StatusWire | None = None


class JobWire(HeadWire):
    """An MPIJob."""

    spec: SpecWire | None = None


def roles_of(spec: SpecWire) -> Mapping[str, ReplicaDraft] | None:
    """Return the roles that are there; a role that is null is not."""
    if spec.roles is None:
        return None
    return {
        role: ReplicaDraft(replica.replicas, replica.restart_policy, replica.template or {})
        for role, replica in spec.roles.items()
        if replica is not None
    }


def idling(roles: Mapping[str, ReplicaDraft] | None) -> Mapping[str, ReplicaDraft] | None:
    """Return the roles of an older version: a worker without a command idles.

    Whatever its arguments are: they were dropped, and Flyte writes the launcher's whole command
    line there, which every worker would run.

    Source: `newWorker`, mpi-operator v0.3.0 (pkg/controllers/v1), training-operator v1.9.
    """
    worker = (roles or {}).get(WORKER)
    containers = ((worker.template.get("spec") or {}) if worker else {}).get("containers") or ()
    if not roles or not worker or not containers or containers[0].get("command"):
        return roles
    host = {key: value for key, value in containers[0].items() if key != "args"}
    pod = {**worker.template["spec"], "containers": [host, *containers[1:]]}
    return {**roles, WORKER: replace(worker, template={**worker.template, "spec": pod})}


def scheduling_of(wire: SchedulingWire | None) -> SchedulingPolicy | None:
    """Return what a gang scheduler is told; quantities written as numbers become text."""
    if wire is None:
        return None
    resources = wire.min_resources
    return SchedulingPolicy(
        min_available=wire.min_available,
        queue=wire.queue,
        min_resources=None
        if resources is None
        else {name: str(amount) for name, amount in resources.items()},
        priority_class=wire.priority_class,
        schedule_timeout_s=wire.schedule_timeout_seconds,
    )
