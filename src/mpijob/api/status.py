"""`status` of an MPIJob: from the wire, and back as a merge patch.

Conditions, counts and times are mpi-operator's; `restarts`, `failure`, `state` and `ready` are ours
and additive. The last two are for people who list jobs with kubectl: nothing is decided by them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from mpijob.cluster.times import stamp
from mpijob.core.job import Manifest
from mpijob.core.status import Condition, ConditionType, Failure, JobStatus, ReplicaCount

_TYPES = {type_.value: type_ for type_ in ConditionType}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ConditionWire(msgspec.Struct):
    """One row of `status.conditions`."""

    type: str
    status: str = ""
    reason: str | None = None
    message: str | None = None
    updated_at: datetime | None = msgspec.field(name="lastUpdateTime", default=None)
    changed_at: datetime | None = msgspec.field(name="lastTransitionTime", default=None)


class CountWire(msgspec.Struct):
    """One role in `status.replicaStatuses`."""

    active: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class CountsWire(msgspec.Struct):
    """`status.replicaStatuses`."""

    launcher: CountWire | None = msgspec.field(name="Launcher", default=None)
    worker: CountWire | None = msgspec.field(name="Worker", default=None)


class FailureWire(msgspec.Struct, rename="camel"):
    """`status.failure`: the first cause."""

    pod: str
    uid: str = ""
    reason: str | None = None
    message: str | None = None
    node: str | None = None
    exit_code: int | None = None
    at: datetime | None = msgspec.field(name="time", default=None)


class StatusWire(msgspec.Struct):
    """`status` of an MPIJob, as far as it is read."""

    conditions: list[ConditionWire] | None = None
    counts: CountsWire | None = msgspec.field(name="replicaStatuses", default=None)
    started_at: datetime | None = msgspec.field(name="startTime", default=None)
    completed_at: datetime | None = msgspec.field(name="completionTime", default=None)
    restarts: int | None = None
    failure: FailureWire | None = None
    ready: str | None = None
    launcher: str | None = msgspec.field(name="launcherStatus", default=None)


def decode_status(status: object) -> JobStatus:
    """Return what an MPIJob's `status` says; `status` is that field's value, as JSON.

    A status that is not as it should be is read as far as it can be: the next report mends it.
    """
    if not isinstance(status, Mapping):
        return JobStatus()
    try:
        return status_of(msgspec.convert(status, StatusWire))
    except msgspec.ValidationError:
        return status_of(_salvaged(status))


def status_of(wire: StatusWire) -> JobStatus:
    """Return the core's status for what was read of the wire."""
    counts = wire.counts
    return JobStatus(
        conditions=_conditions(wire.conditions or ()),
        launcher=_count(counts.launcher) if counts else None,
        worker=_count(counts.worker) if counts else None,
        started_at=moment(wire.started_at),
        completed_at=moment(wire.completed_at),
        restarts=wire.restarts or 0,
        failure=_failure(wire.failure) if wire.failure else None,
        ready=wire.ready or "",
    )


def moment(time: datetime | None) -> datetime | None:
    """Return a time of the wire in UTC and whole seconds; one without a zone is taken for UTC."""
    if time is None:
        return None
    if time.tzinfo is not UTC:
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.replace(microsecond=0) if time.microsecond else time


def encode_status(status: JobStatus) -> Manifest:
    """Return the merge patch (RFC 7386) that makes the value of an MPIJob's `status` this one.

    What the status does not have is null in the patch, so that an older value goes; the list of
    conditions is always whole. Where there was no status before, there
    comes of it the shape that mpi-operator writes.
    """
    counts = {"Launcher": _counts(status.launcher), "Worker": _counts(status.worker)}
    return {
        "conditions": [_condition(condition) for condition in status.conditions],
        "replicaStatuses": counts if any(counts.values()) else None,
        "startTime": _optional(status.started_at),
        "completionTime": _optional(status.completed_at),
        "restarts": status.restarts,
        "failure": _cause(status.failure) if status.failure else None,
        "state": status.state if status.conditions else None,
        "ready": status.ready or None,
    }


def _conditions(rows: Sequence[ConditionWire]) -> tuple[Condition, ...]:
    """Return the conditions of the types we know, in their order."""
    return tuple(
        Condition(
            type=_TYPES[row.type],
            true=row.status == "True",
            reason=row.reason or "",
            message=row.message or "",
            updated_at=moment(row.updated_at) or moment(row.changed_at) or _EPOCH,
            changed_at=moment(row.changed_at) or moment(row.updated_at) or _EPOCH,
        )
        for row in rows
        if row.type in _TYPES
    )


def _count(wire: CountWire | None) -> ReplicaCount | None:
    """Return the counts of one role, None where there are none."""
    if wire is None:
        return None
    return ReplicaCount(wire.active or 0, wire.succeeded or 0, wire.failed or 0)


def _failure(wire: FailureWire) -> Failure:
    """Return the first cause that was recorded."""
    return Failure(
        pod=wire.pod,
        uid=wire.uid,
        reason=wire.reason or "",
        message=wire.message or "",
        node=wire.node or "",
        exit_code=wire.exit_code,
        at=moment(wire.at),
    )


def _salvaged(status: Manifest) -> StatusWire:
    """Return what can be read of a status of which something cannot."""
    known: dict[str, object] = {}
    for field in msgspec.structs.fields(StatusWire):
        try:
            value = msgspec.convert(status.get(field.encode_name), field.type)
        except msgspec.ValidationError:
            continue
        known[field.name] = value
    return StatusWire(**known)  # type: ignore[arg-type]  # Each value was just converted.


def _condition(condition: Condition) -> Manifest:
    """Return one row of `status.conditions`."""
    return {
        "type": condition.type.value,
        "status": "True" if condition.true else "False",
        "reason": condition.reason,
        "message": condition.message,
        "lastUpdateTime": stamp(condition.updated_at),
        "lastTransitionTime": stamp(condition.changed_at),
    }


def _counts(count: ReplicaCount | None) -> Manifest | None:
    """Return one role's counts: zeros are left out on the wire, so they are null in a patch."""
    if count is None:
        return None
    return {
        "active": count.active or None,
        "succeeded": count.succeeded or None,
        "failed": count.failed or None,
    }


def _cause(failure: Failure) -> Manifest:
    """Return `status.failure`."""
    return {
        "pod": failure.pod,
        "uid": failure.uid,
        "reason": failure.reason,
        "message": failure.message or None,
        "node": failure.node or None,
        "exitCode": failure.exit_code,
        "time": _optional(failure.at),
    }


def _optional(time: datetime | None) -> str | None:
    """Return a time as the wire writes it, or null."""
    return None if time is None else stamp(time)
