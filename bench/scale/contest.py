"""Rounds in which everybody has the same load, in turns, so that a slow machine slows down all."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from statistics import median
from typing import Any, TypeVar

from harness.processes import Process
from scale.arena import Contestant

T = TypeVar("T")
Figures = dict[str, float]
#: Does one round with one contestant, and returns its figures by name.
Round = Callable[[Contestant, str], Awaitable[Figures]]

_PAUSE_S = 0.5


class Contest:
    """What everybody's rounds came to: by contestant, then by figure."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[Figures]] = defaultdict(list)

    def median(self, who: str, figure: str) -> float:
        """Return the median of somebody's rounds."""
        return median(self._all(who, figure))

    def said(self, figure: str) -> str:
        """Return everybody's median and range."""
        told = []
        for who in self.rounds:
            values = self._all(who, figure)
            told.append(f"{who} {median(values):.2f} ({min(values):.2f}–{max(values):.2f})")
        return f"{figure}: {', '.join(told)}"

    def _all(self, who: str, figure: str) -> list[float]:
        return [figures[figure] for figures in self.rounds[who]]


async def contest(name: str, contestants: Sequence[Contestant], rounds: int, act: Round) -> Contest:
    """Return what so many rounds came to, after telling of each as it ends."""
    held = Contest()
    for number in range(rounds):
        for contestant in contestants:
            figures = await act(contestant, f"r{number}-{contestant.name}")
            held.rounds[contestant.name].append(figures)
            shown = ", ".join(f"{figure} {value:.2f}" for figure, value in figures.items())
            tell(f"  {name} round {number + 1} of {rounds}, {contestant.name}: {shown}")
    for figure in next(iter(held.rounds.values()))[0]:
        tell(f"  {name} {held.said(figure)}")
    return held


async def while_there(process: Process, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` comes to. Raises RuntimeError where the process ends meanwhile."""
    task = asyncio.ensure_future(work)
    while not (await asyncio.wait({task}, timeout=_PAUSE_S))[0]:
        if process.has_ended:
            task.cancel()
            raise RuntimeError(f"{process.name} ended by itself:\n{process.last_lines()}")
    return task.result()


def tell(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)
