"""An asyncio loop whose time is virtual and whose order is drawn: the real coroutines, no luck.

Nothing ever waits: where every task sleeps, the clock goes to the next timer. Callbacks that are
ready at once run in an order drawn from the dice, so that no coroutine comes to lean on asyncio's
own order. One seed is one run.

It leans on three names inside `asyncio.BaseEventLoop`: `_selector`, `_ready` and
`_process_events`. `tests/sim/test_loop.py` holds them.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Every task waits for another one, and no timer is set: nothing will ever happen again."""


class _Clock:
    """What the loop takes for its selector: there are no files, and to wait is to go forward."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def select(self, timeout_s: float | None) -> tuple[()]:
        """Go forward by `timeout_s`. Raises Stuck where there is no end to the wait."""
        if timeout_s is None:
            raise Stuck("every task waits, and no timer is set")
        self.elapsed_s += timeout_s
        return ()

    def close(self) -> None:
        """Hold nothing, so free nothing."""


class SimLoop(asyncio.BaseEventLoop):
    """The loop. `time()` is virtual seconds since it was made."""

    _ready: deque[asyncio.Handle]

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self._dice = dice
        self._selector = _Clock()

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._selector.elapsed_s

    def _process_events(self, _: object) -> None:
        """Shuffle what is ready: called once a round, before timers that are due join it."""
        if len(self._ready) > 1:
            ready = list(self._ready)
            self._dice.shuffle(ready)
            self._ready.clear()
            self._ready.extend(ready)

    def _write_to_self(self) -> None:
        """There is no other thread that could have woken us."""


def play(main: Coroutine[Any, Any, T], dice: Random) -> T:
    """Run `main` to its end in virtual time and return what it returns.

    Raises:
        Stuck: Nothing can happen any more, and `main` has not ended.
    """
    loop = SimLoop(dice)
    task = loop.create_task(main)
    try:
        return loop.run_until_complete(task)
    finally:
        _end(loop)


def _end(loop: SimLoop) -> None:
    """Cancel what still runs and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
