"""kubeflow.org/v2beta1: an MPIJob's manifest to the core's values.

Decoding is quick for what an API server lets through, which is nearly always the case: typed
structs, in one pass. Only where that fails are the types looked at one by one, so that all that
is wrong is told at once.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import msgspec

from mpijob.api.status import StatusWire, decode_status, encode_status, moment, status_of
from mpijob.api.template import check_template
from mpijob.cluster.admission import type_problems
from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, ReplicaDraft, settled
from mpijob.core.job import (
    Identity,
    Key,
    Manifest,
    MPIJob,
    Problem,
    Rejected,
    SchedulingPolicy,
)
from mpijob.core.status import JobStatus
from mpijob.core.validate import INVALID, problems

__all__ = ["API_VERSION", "KIND", "decode", "decode_status", "encode_status", "job"]

API_VERSION = "kubeflow.org/v2beta1"
KIND = "MPIJob"

_Int32 = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
_Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _MetadataWire(msgspec.Struct):
    """`metadata`, as far as it is read."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    version: str | None = msgspec.field(name="resourceVersion", default=None)
    created_at: datetime | None = msgspec.field(name="creationTimestamp", default=None)
    deleted_at: datetime | None = msgspec.field(name="deletionTimestamp", default=None)
    generation: int | None = None
    annotations: dict[str, str] | None = None


class _ReplicaWire(msgspec.Struct):
    """One entry of `spec.mpiReplicaSpecs`."""

    replicas: _Int32 | None = None
    restart_policy: str | None = msgspec.field(name="restartPolicy", default=None)
    template: dict[str, Any] | None = None


class _SchedulingWire(msgspec.Struct, rename="camel"):
    """`spec.runPolicy.schedulingPolicy`."""

    min_available: _Int32 | None = None
    queue: str | None = None
    min_resources: dict[str, str | int | float] | None = None
    priority_class: str | None = None
    schedule_timeout_seconds: _Int32 | None = None


class _RunPolicyWire(msgspec.Struct, rename="camel"):
    """`spec.runPolicy`."""

    clean_pod_policy: str | None = None
    ttl_seconds_after_finished: _Int32 | None = None
    active_deadline_seconds: _Int64 | None = None
    backoff_limit: _Int32 | None = None
    scheduling_policy: _SchedulingWire | None = None
    suspend: bool | None = None
    managed_by: str | None = None


class _SpecWire(msgspec.Struct, rename="camel"):
    """`spec`."""

    slots_per_worker: _Int32 | None = None
    run_launcher_as_worker: bool | None = None
    run_policy: _RunPolicyWire | None = None
    replicas: dict[str, _ReplicaWire | None] | None = msgspec.field(
        name="mpiReplicaSpecs", default=None
    )
    ssh_auth_mount_path: str | None = None
    launcher_creation_policy: str | None = None
    mpi_implementation: str | None = None


class _JobWire(msgspec.Struct):
    """An MPIJob."""

    api_version: str | None = msgspec.field(name="apiVersion", default=None)
    metadata: _MetadataWire | None = None
    spec: _SpecWire | None = None
    status: StatusWire | None = None


_DECODER = msgspec.json.Decoder(_JobWire)


def decode(manifest: Manifest | bytes) -> Draft | Rejected:
    """Return the draft in an MPIJob's manifest, or why it cannot be read as one.

    Odd values are no obstacle, only values of another type than the field's.

    Raises:
        msgspec.DecodeError: `manifest` is bytes, and they are no JSON.

    """
    try:
        wire = (
            _DECODER.decode(manifest)
            if isinstance(manifest, bytes)
            else msgspec.convert(manifest, _JobWire)
        )
        for replica in ((wire.spec and wire.spec.replicas) or {}).values():
            if replica is not None and replica.template is not None:
                check_template(replica.template)
    except msgspec.ValidationError as error:
        return _look_closely(manifest, error)
    status = JobStatus() if wire.status is None else status_of(wire.status)
    return _draft(wire, _identity(wire), status)


def job(manifest: Manifest | bytes) -> MPIJob | Rejected:
    """Return the job that a manifest means: decoded, with its defaults, and found sound.

    Raises:
        msgspec.DecodeError: `manifest` is bytes, and they are no JSON.

    """
    draft = decode(manifest)
    if isinstance(draft, Rejected):
        return draft
    draft = defaulted(draft)
    if found := problems(draft):
        return Rejected(draft.identity, found, draft.status, draft.managed_by)
    return settled(draft)


def _identity(wire: _JobWire) -> Identity:
    """Return which object the manifest is."""
    metadata = wire.metadata or _MetadataWire()
    return Identity(
        key=Key(metadata.namespace or "", metadata.name or ""),
        uid=metadata.uid or "",
        version=metadata.version or "",
        api_version=wire.api_version or API_VERSION,
        created_at=moment(metadata.created_at),
        generation=metadata.generation or 1,
        deleting=metadata.deleted_at is not None,
        annotations=metadata.annotations or {},
    )


def _draft(wire: _JobWire, identity: Identity, status: JobStatus) -> Draft:
    """Return the draft of a manifest whose types are right."""
    spec = wire.spec or _SpecWire()
    policy = spec.run_policy or _RunPolicyWire()
    return Draft(
        identity=identity,
        replicas=None if spec.replicas is None else _replicas(spec.replicas),
        slots_per_worker=spec.slots_per_worker,
        run_launcher_as_worker=spec.run_launcher_as_worker,
        clean_pods=policy.clean_pod_policy,
        ttl_s=policy.ttl_seconds_after_finished,
        active_deadline_s=policy.active_deadline_seconds,
        backoff_limit=policy.backoff_limit,
        scheduling=_scheduling(policy.scheduling_policy),
        suspended=policy.suspend,
        managed_by=policy.managed_by,
        ssh_auth_mount_path=spec.ssh_auth_mount_path,
        launcher_start=spec.launcher_creation_policy,
        flavour=spec.mpi_implementation,
        status=status,
    )


def _replicas(wire: Mapping[str, _ReplicaWire | None]) -> Mapping[str, ReplicaDraft]:
    """Return the roles that are there; a role that is null is not."""
    return {
        role: ReplicaDraft(replica.replicas, replica.restart_policy, replica.template or {})
        for role, replica in wire.items()
        if replica is not None
    }


def _scheduling(wire: _SchedulingWire | None) -> SchedulingPolicy | None:
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


def _look_closely(manifest: Manifest | bytes, error: msgspec.ValidationError) -> Draft | Rejected:
    """Return why a manifest could not be decoded, or its draft where only its status is odd."""
    plain = msgspec.json.decode(manifest) if isinstance(manifest, bytes) else manifest
    if not isinstance(plain, Mapping):
        return Rejected(Identity(Key("", ""), "", ""), (_problem(error),))
    status = decode_status(plain.get("status"))
    intent = {key: value for key, value in plain.items() if key != "status"}
    if "status" in plain:
        return replace(decode(intent), status=status)
    # Null is a wrong type at the server's door, yet the decoder takes it for nothing said.
    found = tuple(problem for problem in type_problems(intent) if problem.value != '"null"')
    identity = _salvaged_identity(plain)
    return Rejected(identity, found or (_problem(error),), status, _managed_by(plain))


def _salvaged_identity(plain: Manifest) -> Identity:
    """Return which object a manifest is, of which something could not be read."""
    metadata = plain.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    known = {}
    for field in msgspec.structs.fields(_MetadataWire):
        try:
            value = msgspec.convert(metadata.get(field.encode_name), field.type)
        except msgspec.ValidationError:
            continue
        known[field.name] = value
    return _identity(_JobWire(metadata=_MetadataWire(**known)))


def _managed_by(plain: Manifest) -> str | None:
    """Return `spec.runPolicy.managedBy` as written, None where there is no such text."""
    found: object = plain
    for field in ("spec", "runPolicy", "managedBy"):
        found = found.get(field) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None


def _problem(error: msgspec.ValidationError) -> Problem:
    """Return what msgspec found wrong first, with the field's path."""
    detail, _, path = str(error).partition(" - at `")
    return Problem(path.rstrip("`").removeprefix("$").removeprefix("."), INVALID, detail)
