"""What the benchmarks share: how they are declared, and how a median beside a floor is taken."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TypedDict


class Result(TypedDict):
    """A line of bench/results.json. `ratio` is ours over the floor, 0 where the floor is 0."""

    name: str
    ours: float
    floor: float
    ratio: float
    unit: str


class NotHere(Exception):
    """This machine lacks what a measurement needs; the message says what."""


@dataclass(frozen=True)
class Benchmark:
    """A measurement with a name, and the limit that we promise to keep.

    Attributes:
        name: ROOM/WHAT.
        unit: Of `ours` and `floor`, such as "ms".
        measure: Returns (ours, floor). Raises NotHere where it cannot measure on this machine.
        limit: What is promised, in words.
        within: Says of (ours, floor) whether it is kept.
    """

    name: str
    unit: str
    measure: Callable[[], tuple[float, float]]
    limit: str
    within: Callable[[float, float], bool]

    def run(self) -> Result:
        """Measure now, and return the line of the results. Raises NotHere."""
        ours, floor = self.measure()
        return Result(
            name=self.name,
            ours=round(ours, 3),
            floor=round(floor, 3),
            ratio=round(ours / floor, 3) if floor else 0.0,
            unit=self.unit,
        )

    def keeps(self, result: Result) -> bool:
        """Return whether a result is within what is promised."""
        return self.within(result["ours"], result["floor"])


@dataclass
class Settings:
    """What the command line asked for, for measurements that hang on it.

    Attributes:
        rounds: How often each side is measured where one measurement takes seconds.
        other: A command line to measure beside ours, "" for none.
        every_version: Whether API servers are to know every version of MPIJob, v1 too.
    """

    rounds: int = 5
    other: str = ""
    every_version: bool = False


SETTINGS = Settings()
#: Closed once all is measured: what several measurements share.
UNTIL_DONE = ExitStack()

BENCHMARKS: list[Benchmark] = []

Measure = Callable[[], tuple[float, float]]


def benchmark(
    name: str, unit: str, limit: str, within: Callable[[float, float], bool]
) -> Callable[[Measure], Measure]:
    """Return the decorator that declares a function as the benchmark `name`."""

    def declare(measure: Measure) -> Measure:
        BENCHMARKS.append(Benchmark(name, unit, measure, limit, within))
        return measure

    return declare


def medians_s(
    ours: Callable[[], object],
    floor: Callable[[], object],
    *,
    rounds: int,
    clock: Callable[[], float] = perf_counter,
) -> tuple[float, float]:
    """Return the median seconds of both, taken in turns after one round that does not count.

    In turns, so that a machine that slows down slows both. What neither waits nor starts processes
    is measured by `time.process_time`, which leaves out the time that others have the processor.
    """
    samples: tuple[list[float], list[float]] = ([], [])
    for round_index in range(rounds + 1):
        for action, taken in zip((ours, floor), samples, strict=True):
            begun_at = clock()
            action()
            if round_index:
                taken.append(clock() - begun_at)
    return median(samples[0]), median(samples[1])


def command(
    words: Sequence[str], *, environment: dict[str, str] | None = None
) -> Callable[[], object]:
    """Return the action of running a command to its end; raise where it fails."""

    def act() -> None:
        done = subprocess.run(
            words, capture_output=True, text=True, env=environment, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended {done.returncode}: {done.stderr[-2000:]}")

    return act
