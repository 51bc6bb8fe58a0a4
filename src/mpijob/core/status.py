"""What was last told of a job: conditions, counts and times, and their algebra."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace


class ConditionType(StrEnum):
    """The condition types of `status.conditions`."""

    CREATED = "Created"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    SUSPENDED = "Suspended"
    FAILED = "Failed"
    INVALID = "Invalid"
    BLOCKED = "Blocked"


#: Which true condition names a job's state, the most telling first.
_STATES = (
    ConditionType.INVALID,
    ConditionType.FAILED,
    ConditionType.SUCCEEDED,
    ConditionType.BLOCKED,
    ConditionType.SUSPENDED,
    ConditionType.RESTARTING,
    ConditionType.RUNNING,
)
_ENDS = (ConditionType.SUCCEEDED, ConditionType.FAILED)
#: The state of a job of which no condition tells more.
PENDING = "Pending"


class Condition(Struct, frozen=True):
    """One row of `status.conditions`.

    `changed_at` is when `true` last flipped (`lastTransitionTime`), `updated_at` when the row was
    last written (`lastUpdateTime`); both UTC, to the second.
    """

    type: ConditionType
    true: bool
    reason: str
    message: str
    updated_at: datetime
    changed_at: datetime


class ReplicaCount(Struct, frozen=True):
    """Pods of one role, by how they are: running, ended well, ended badly."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0


class Failure(Struct, frozen=True):
    """The first cause of trouble: which pod, where, how it ended, and its last words.

    `exit_code` is the container's (137 for SIGKILL), None where no container ended. `uid` is the
    pod's, by which the same death is not told twice.
    """

    pod: str
    uid: str
    reason: str
    message: str = ""
    node: str = ""
    exit_code: int | None = None
    at: datetime | None = None


class JobStatus(Struct, frozen=True):
    """What we last told the world about a job.

    `launcher` and `worker` are None until there is something to count. `restarts` counts how
    often the launcher was started anew for workers that died. `ready` is for people: how many of
    the wanted workers run, as in "2/4"; "" before they were counted.
    """

    conditions: tuple[Condition, ...] = ()
    launcher: ReplicaCount | None = None
    worker: ReplicaCount | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    restarts: int = 0
    failure: Failure | None = None
    ready: str = ""

    def condition(self, type_: ConditionType) -> Condition | None:
        """Return the condition of that type, or None where it was never set."""
        for row in self.conditions:
            if row.type is type_:
                return row
        return None

    def is_true(self, type_: ConditionType) -> bool:
        """Say whether the condition of that type is set and true."""
        found = self.condition(type_)
        return found is not None and found.true

    def says(self, type_: ConditionType, *, true: bool, reason: str) -> bool:
        """Say whether the condition of that type is set, with this truth and for this reason."""
        found = self.condition(type_)
        return found is not None and found.true is true and found.reason == reason

    @property
    def finished(self) -> bool:
        """Whether the job has ended, either way. Nothing undoes this."""
        for row in self.conditions:  # noqa: SIM110 (a look asks it often, and a loop is quicker)
            if row.true and row.type in _ENDS:
                return True
        return False

    @property
    def naming_condition(self) -> ConditionType | None:
        """The true condition that tells most about the job; None for one that is new."""
        true = [row.type for row in self.conditions if row.true]
        return next((type_ for type_ in _STATES if type_ in true), None)

    @property
    def state(self) -> str:
        """The one word for where the job is in its life, as far as its conditions tell."""
        named = self.naming_condition
        return PENDING if named is None else named.value

    @property
    def suspended(self) -> bool:
        """Whether the job was last told to be suspended."""
        return self.is_true(ConditionType.SUSPENDED)

    @property
    def told_at(self) -> datetime | None:
        """The latest time that the status tells of what we did, None where it tells of nothing."""
        times = [row.updated_at for row in self.conditions]
        return max([*times, self.started_at] if self.started_at else times, default=None)

    def with_condition(self, new: Condition) -> Self:
        """Return this status with `new` in its type's place, moved to the end of the list.

        A row of the same truth and reason stays as it is: a new message alone is no news. Where
        only the reason is new, `changed_at` is kept.

        Source: `setCondition`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller_status.go).
        """
        if self.says(new.type, true=new.true, reason=new.reason):
            return self
        old = self.condition(new.type)
        if old is not None and old.true == new.true:
            new = replace(new, changed_at=old.changed_at)
        kept = tuple(c for c in self.conditions if c.type is not new.type)
        return replace(self, conditions=(*kept, new))

    def without_condition(self, type_: ConditionType) -> Self:
        """Return this status without the condition of that type."""
        if self.condition(type_) is None:
            return self
        return replace(self, conditions=tuple(c for c in self.conditions if c.type is not type_))
