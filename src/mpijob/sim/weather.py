"""How likely each fault is in one history."""

from collections.abc import Sequence
from random import Random
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

Family = tuple[tuple[str, ...], tuple[int, ...]]

#: Rare, or often.
ODDS = (0.05, 0.3)
#: What happens to operators; to pods; among people; to time. And how many of these a history has.
FAMILIES: tuple[Family, ...] = (
    (("crash", "lost_request", "lost_answer", "stale", "gap", "travel", "rivals"), (0, 2, 3, 5)),
    (("kill", "evict", "exhaust", "lose", "refuse", "failure"), (0, 1, 2, 4)),
    (("conflict", "theft", "stranger", "leap"), (0, 0, 1, 2)),
    (("pause", "skew"), (0, 0, 1, 1, 2)),
)


class Weather(Struct, frozen=True):
    """The odds of each fault, 0 to 1, per chance that it gets.

    Of the operator: `crash` before a step; `lost_request` and `lost_answer` of a write; `stale`,
    per kind and look, to see only a part of what is new; `gap`, a watch that begins again and
    missed what lay between; `travel`, to start anew, and from an older state; `rivals`, that a
    second operator runs.

    Of pods: `kill`, `evict`, `exhaust`, `lose`: deleted, evicted, out of memory, gone with their
    node; `refuse`, an image that cannot be pulled for now; `failure` of the launcher's program.

    Of people: `conflict`, somebody else writes; `theft`, a child is taken away; `stranger`,
    somebody has one of our names; `leap` of the clock by minutes.

    Of time: `pause` of an operator's process between two steps, while the rest goes on; `skew` of
    its clock against everybody else's, forward or back.
    """

    crash: float = 0.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    stale: float = 0.0
    gap: float = 0.0
    travel: float = 0.0
    rivals: float = 0.0
    conflict: float = 0.0
    theft: float = 0.0
    stranger: float = 0.0
    kill: float = 0.0
    evict: float = 0.0
    exhaust: float = 0.0
    lose: float = 0.0
    refuse: float = 0.0
    failure: float = 0.0
    leap: float = 0.0
    pause: float = 0.0
    skew: float = 0.0

    @classmethod
    def drawn(cls, dice: Random, families: Sequence[Family] = FAMILIES) -> Self:
        """Return a weather in which a few faults are rare or often, each by itself.

        So some seeds isolate a fault, and others pile them up (swarm testing).
        """
        faults = (dice.sample(family, dice.choice(counts)) for family, counts in families)
        return cls(**{fault: dice.choice(ODDS) for some in faults for fault in some})

    def joined(self, other: Self) -> Self:
        """Return the weather that has the faults of both."""
        return replace(self, **{fault: getattr(other, fault) for fault in other.faults()})

    def faults(self) -> tuple[str, ...]:
        """Return the names of the faults that can happen."""
        return tuple(fault for fault in self.__struct_fields__ if getattr(self, fault))

    def without(self, fault: str) -> Self:
        """Return this weather with one fault off."""
        return replace(self, **{fault: 0.0})


CALM = Weather()
