"""How Flyte's backend reads the status of a v1 job: the one word that it makes of it.

It is a client that we do not write, and it goes by less than is told: by the true condition that
changed last, in whole seconds, and by five types of conditions. What we tell of a v1 job must mean
the same to it at every step, so its reading stands here, where the simulator can ask it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from mpijob.api.status import ConditionWire, StatusWire, moment
from mpijob.core.job import Manifest

#: For how long after its creation a job may be without a start, in Flyte's usual configuration.
START_WITHIN = timedelta(minutes=1)


class FlytePhase(StrEnum):
    """What Flyte makes of a job."""

    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Success"
    FAILED = "RetryableFailure"


_PHASES: Mapping[str, FlytePhase] = {
    "Created": FlytePhase.QUEUED,
    "Suspended": FlytePhase.QUEUED,
    "Running": FlytePhase.RUNNING,
    "Restarting": FlytePhase.RUNNING,
    "Succeeded": FlytePhase.SUCCEEDED,
    "Failed": FlytePhase.FAILED,
}
ENDS = frozenset({FlytePhase.SUCCEEDED, FlytePhase.FAILED})


class Unreadable(ValueError):
    """Flyte makes nothing of a status; the task fails for it as for a fault of the system."""


def phase(status: Manifest | None) -> FlytePhase:
    """Return what Flyte makes of the `status` of a job.

    Raises:
        Unreadable: no condition is true, or the newest is of a type that Flyte does not know.

    Source: `ExtractCurrentCondition` and `GetPhaseInfo`, flyteplugins
    (go/tasks/plugins/k8s/kfoperators/common/common_operator.go).

    """
    row = current(status)
    if row is None:
        return FlytePhase.QUEUED
    if row.type not in _PHASES:
        raise Unreadable(f"Flyte knows no condition {row.type}")
    return _PHASES[row.type]


def current(status: Manifest | None) -> ConditionWire | None:
    """Return the condition that Flyte goes by, None of a status without any. Raises Unreadable."""
    rows = msgspec.convert(status or {}, StatusWire).conditions
    if not rows:
        return None
    # The sort is stable, as Go's is for so few: of two of one second, the first counts.
    newest_first = sorted(rows, key=_since, reverse=True)
    row = next((row for row in newest_first if row.status == "True"), None)
    if row is None:
        raise Unreadable("no condition is true")
    return row


def overdue(status: Manifest | None, created_at: datetime, now: datetime) -> bool:
    """Say whether Flyte gives a job up, since nobody has begun it: no `startTime` in a minute."""
    started = msgspec.convert(status or {}, StatusWire).started_at
    return started is None and now > created_at + START_WITHIN


def _since(row: ConditionWire) -> float:
    changed_at = moment(row.changed_at)
    return changed_at.timestamp() if changed_at else float("-inf")
