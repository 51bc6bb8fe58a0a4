"""How a job is, as a value: what `list`, `wait` and `submit` return."""

from datetime import datetime
from html import escape

from msgspec import Struct

from mpijob.api import versions
from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, state
from mpijob.core.job import Manifest
from mpijob.core.status import ConditionType


class JobState(Struct, frozen=True):
    """One job at one moment. Times are UTC, None for what has not happened.

    Args:
        state: One word: Pending, Created, Running, Restarting, Suspended, Succeeded, Failed or
            Invalid.
        reason: Why, in one word; "" for a new job.
        message: Why, in a sentence; "" the same.
        ready: How many workers run.
        workers: How many there are to be.
        restarts: How often it was begun anew.

    """

    name: str
    namespace: str
    state: str
    reason: str = ""
    message: str = ""
    ready: int = 0
    workers: int = 0
    restarts: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in _ENDS

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == ConditionType.SUCCEEDED.value

    def __str__(self) -> str:
        """Return it as one line."""
        why = f" ({self.reason})" if self.reason and not self.succeeded else ""
        return f"{self.name}: {self.state}{why}, {self.ready}/{self.workers} workers ready"

    def _repr_html_(self) -> str:
        """Return it as notebooks show it."""
        shown = {
            "job": self.name,
            "state": self.state,
            "why": self.reason,
            "workers ready": f"{self.ready}/{self.workers}",
        }
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        row = "".join(f"<td>{escape(value)}</td>" for value in shown.values())
        return f"<table><tr>{head}</tr><tr>{row}</tr></table>"


_ENDS = tuple(
    each.value for each in (ConditionType.SUCCEEDED, ConditionType.FAILED, ConditionType.INVALID)
)


def state_of(manifest: Manifest) -> JobState:
    """Return how a job is."""
    job = versions.decode(manifest)
    draft = defaulted(job if isinstance(job, Draft) else Draft(job.identity, status=job.status))
    status, identity = draft.status, draft.identity
    named = status.naming_condition
    condition = status.condition(named) if named else None
    return JobState(
        name=identity.key.name,
        namespace=identity.key.namespace,
        state=state(draft if isinstance(job, Draft) else job),
        reason=condition.reason if condition else "",
        message=condition.message if condition else "",
        ready=status.worker.active if status.worker else 0,
        workers=draft.worker_count,
        restarts=status.restarts,
        created_at=identity.created_at,
        started_at=status.started_at,
        ended_at=status.completed_at,
    )
