"""Whom to look at next: a queue in which each key stands once and is with one worker at a time.

Events come in plainly and are never slowed down; only failures are, each key by itself.
"""

import asyncio
from collections import OrderedDict

from mpijob.core.job import Key

RETRY_S_MIN = 0.02
RETRY_S_MAX = 60.0


class Queue:
    """The keys that are due. Times are those of the running loop, in seconds."""

    def __init__(self) -> None:
        self._due: OrderedDict[Key, None] = OrderedDict()
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._wake: asyncio.Event = asyncio.Event()
        self._given_back: asyncio.Event = asyncio.Event()

    def add(self, key: Key) -> None:
        """Have `key` looked at as soon as a worker is free; once, however often it is asked for."""
        if key in self._busy:
            self._again.add(key)
        else:
            self._due[key] = None
            self._wake.set()

    def add_after(self, key: Key, delay_s: float) -> None:
        """Have `key` looked at after a while; the sooner of two such wishes counts."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(delay_s, 0.0)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= at:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(at, self._ring, key)

    def retry(self, key: Key) -> float:
        """Have `key` looked at again after a failure, each time later; return the delay in s."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay_s = min(RETRY_S_MIN * 2.0 ** min(count, 16), RETRY_S_MAX)
        self.add_after(key, delay_s)
        return delay_s

    def succeed(self, key: Key) -> None:
        """Forget the failures of `key`."""
        self._failures.pop(key, None)

    async def take(self) -> Key:
        """Return the key that is due the longest, and hold it until `give_back`."""
        while not self._due:
            self._wake.clear()
            await self._wake.wait()
        key, _ = self._due.popitem(last=False)
        self._busy.add(key)
        return key

    def give_back(self, key: Key) -> None:
        """End a worker's hold on `key`; what was asked for in the meantime is due now."""
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        self._given_back.set()

    async def idle(self) -> None:
        """Return once no key is due and none is with a worker."""
        while self._due or self._busy:
            self._given_back.clear()
            await self._given_back.wait()

    def forget(self, key: Key) -> None:
        """Drop what is planned for a key that is no more."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._failures.pop(key, None)

    @property
    def due_count(self) -> int:
        """How many keys wait for a worker."""
        return len(self._due)

    def close(self) -> None:
        """Cancel every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
