"""What an operator has done so far, as plain numbers that metrics are made of."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from mpijob.core.status import Condition, ConditionType, JobStatus

#: Upper bounds of the buckets, in seconds.
LOOK_BOUNDS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
START_BOUNDS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Histogram:
    """How often a duration fell between bounds; `counts` has one entry more than `bounds`."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one duration, in seconds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Tally:
    """The numbers of one operator. Jobs are counted when their status has been written."""

    def __init__(self) -> None:
        self.created = 0
        self.succeeded = 0
        self.failed = 0
        self.restarts = 0
        self.looks: Counter[str] = Counter()
        self.look_s = Histogram(LOOK_BOUNDS_S)
        #: From a job's start until all its workers run, and until its launcher runs as well.
        self.start_s = {phase: Histogram(START_BOUNDS_S) for phase in ("workers", "launcher")}

    def told(self, old: JobStatus, new: JobStatus, now: datetime) -> None:
        """Count what became of a job between two statuses that were written."""
        became = {row.type for row in became_true(old, new)}
        self.created += ConditionType.CREATED in became
        self.succeeded += ConditionType.SUCCEEDED in became
        self.failed += ConditionType.FAILED in became
        self.restarts += max(new.restarts - old.restarts, 0)
        if new.started_at is None:
            return
        # A clock that is behind the one by which the job was started must not make it negative.
        passed_s = max((now - new.started_at).total_seconds(), 0.0)
        if _all_run(new) and not _all_run(old) and not old.is_true(ConditionType.RUNNING):
            self.start_s["workers"].add(passed_s)
        if ConditionType.RUNNING in became:
            self.start_s["launcher"].add(passed_s)

    def looked(self, result: str, took_s: float) -> None:
        """Count one look at a job: how it ended, and how long it took."""
        self.looks[result] += 1
        self.look_s.add(took_s)


def became_true(old: JobStatus, new: JobStatus) -> Iterator[Condition]:
    """Yield the conditions that are true by now and were not."""
    return (row for row in new.conditions if row.true and not old.is_true(row.type))


def _all_run(status: JobStatus) -> bool:
    running, _, wanted = status.ready.partition("/")
    return running == wanted not in ("", "0")
