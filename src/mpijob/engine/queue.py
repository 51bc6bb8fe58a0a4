"""Whom to look at next: a queue in which each key stands once and is with one worker at a time.

Events come in plainly and are never slowed down; only failures are, each key by itself. A key that
was just looked at may rest for a moment, so that what happens to its pods one by one is looked at
together: for longer the more keys rest, since then each event comes later too, and the more often
in a row it has failed, as all do in a namespace that is on its way out.
"""

import asyncio
from collections import OrderedDict

from mpijob.core.job import Key

RETRY_S_MIN = 0.02
RETRY_S_MAX = 60.0
#: So many keys that rest have each rest for twice as long, up to so much.
_CROWD = 10
_REST_S_MAX = 1.0


class Queue:
    """The keys that are due. Times are those of the running loop, in seconds.

    `rest_s` is how long a key that was looked at is not given out again, where no other rests.
    """

    def __init__(self, rest_s: float = 0.0) -> None:
        self._rest_s = rest_s
        self._resting: dict[Key, asyncio.TimerHandle] = {}
        self._due: OrderedDict[Key, None] = OrderedDict()
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._due_count = asyncio.Semaphore(0)
        self._given_back: asyncio.Event = asyncio.Event()

    def add(self, key: Key) -> None:
        """Have `key` looked at as soon as a worker is free; once, however often it is asked for."""
        if key in self._busy or key in self._resting:
            self._again.add(key)
        elif key not in self._due:
            self._due[key] = None
            self._due_count.release()

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
        self._failures[key] = self._failures.get(key, 0) + 1
        delay_s = self._back_off_s(key)
        self.add_after(key, delay_s)
        return delay_s

    def succeed(self, key: Key) -> None:
        """Forget the failures of `key`, and when it was to be looked at: a look says that anew."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def take(self) -> Key:
        """Return the key that is due the longest, and hold it until `give_back`."""
        await self._due_count.acquire()
        key, _ = self._due.popitem(last=False)
        self._busy.add(key)
        return key

    def give_back(self, key: Key, *, rests: bool = True) -> None:
        """End a worker's hold on `key`; what was asked for meanwhile is due, after its rest."""
        self._busy.discard(key)
        if rests and self._rest_s:
            loop = asyncio.get_running_loop()
            crowd_s = self._rest_s * (1 + len(self._resting) / _CROWD)
            rest_s = min(max(crowd_s, self._back_off_s(key)), _REST_S_MAX)
            self._resting[key] = loop.call_later(rest_s, self._rested, key)
        else:
            self._add_again(key)
        self._given_back.set()

    async def idle(self) -> None:
        """Return once no key is due, neither now nor after its rest, and none is with a worker."""
        while self._due or self._busy or self._again:
            self._given_back.clear()
            await self._given_back.wait()

    @property
    def due_count(self) -> int:
        """How many keys wait for a worker."""
        return len(self._due)

    @property
    def busy_count(self) -> int:
        """How many keys are with a worker."""
        return len(self._busy)

    def close(self) -> None:
        """Cancel every timer."""
        for timers in (self._timers, self._resting):
            for timer in timers.values():
                timer.cancel()
            timers.clear()

    def _back_off_s(self, key: Key) -> float:
        """Return how long a key is put off by its failures, 0 where it has none."""
        count = self._failures.get(key, 0)
        return min(RETRY_S_MIN * 2.0 ** min(count - 1, 16), RETRY_S_MAX) if count else 0.0

    def _rested(self, key: Key) -> None:
        del self._resting[key]
        self._add_again(key)

    def _add_again(self, key: Key) -> None:
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
