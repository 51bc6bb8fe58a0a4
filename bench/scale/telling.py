"""What a running operator tells of itself by HTTP, and how long it lets one wait for it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from types import TracebackType
from typing import Self

import aiohttp

LOOKS, QUEUED = b"mpijob_looks_total", b"mpijob_queue_depth"
_PROBES_S, _ASKS_S = 0.02, 0.5


class Telling:
    """An operator's probes and metrics. Used as a context."""

    def __init__(self, address: str, *, health_port: int, monitoring_port: int) -> None:
        """Ask nothing yet."""
        self._health = f"http://{address}:{health_port}/healthz"
        self._metrics = f"http://{address}:{monitoring_port}/metrics"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def until_looked_at(self, jobs: int) -> None:
        """Return once so many looks have ended and nobody is due."""
        while True:
            told = await self._told()
            if told[LOOKS] >= jobs and not told[QUEUED]:
                return
            await asyncio.sleep(_ASKS_S)

    @asynccontextmanager
    async def waits_s(self) -> AsyncIterator[list[float]]:
        """Probe again and again; give how long (s) the answers took, which grows meanwhile."""
        taken: list[float] = []
        task = asyncio.create_task(self._probe(taken))
        try:
            yield taken
        finally:
            task.cancel()

    async def _probe(self, taken: list[float]) -> None:
        while True:
            asked_at = perf_counter()
            async with self._session.get(self._health) as answer:
                await answer.read()
            taken.append(perf_counter() - asked_at)
            await asyncio.sleep(_PROBES_S)

    async def _told(self) -> dict[bytes, float]:
        """Return the sums of those two metrics; who reads all that are there lets probes wait."""
        async with self._session.get(self._metrics) as answer:
            text = await answer.read()
        lines = {name: rb"^%s(?:{.*})? (.+)$" % name for name in (LOOKS, QUEUED)}
        return {
            name: sum(map(float, re.findall(line, text, re.MULTILINE)))
            for name, line in lines.items()
        }
