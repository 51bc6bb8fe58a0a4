"""What an operator has done so far, as plain numbers that metrics are made of."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from mpijob.core.status import ConditionType, JobStatus

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
        self.start_s = Histogram(START_BOUNDS_S)

    def told(self, old: JobStatus, new: JobStatus, now: datetime) -> None:
        """Count what became of a job between two statuses that were written."""
        self.created += _became(old, new, ConditionType.CREATED)
        self.succeeded += _became(old, new, ConditionType.SUCCEEDED)
        self.failed += _became(old, new, ConditionType.FAILED)
        self.restarts += max(new.restarts - old.restarts, 0)
        if _became(old, new, ConditionType.RUNNING) and new.started_at is not None:
            self.start_s.add(max((now - new.started_at).total_seconds(), 0.0))

    def looked(self, result: str, took_s: float) -> None:
        """Count one look at a job: how it ended, and how long it took."""
        self.looks[result] += 1
        self.look_s.add(took_s)


def _became(old: JobStatus, new: JobStatus, type_: ConditionType) -> bool:
    return new.is_true(type_) and not old.is_true(type_)
