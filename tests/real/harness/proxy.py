"""A bad line to an API server: what goes over it is dropped, delayed, doubled, refused or silent.

It listens on loopback alone, without TLS, and hands on what it is sent, credentials included. Which
fault meets which request is drawn from a seed; since requests come as they come, one seed gives one
kind of weather, not one history. It counts what it was asked and what it did.
"""

import asyncio
import contextlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from harness.ports import LOOPBACK

_HOP = ("host", "connection", "transfer-encoding", "content-length")
_DELAY_S = (0.05, 2.0)


@dataclass(frozen=True, slots=True)
class Faults:
    """The odds of each fault, 0 to 1.

    Of a request: `lost`, it never reaches the server; `unheard`, it does, and its answer is cut
    off; `slow`; `twice`, sent two times; `conflict` (409, of writes), `busy` (429 with
    Retry-After), `broken` (500) and `late` (504), answered without asking the server, the last one
    sometimes after; `mute`, never answered.

    Of a watch that is opened: `forgotten`, it ends with 410 at once; and of one that goes on: `cut`
    in the middle of a line, `ended` as servers end them, `mute`, it says nothing more.
    """

    lost: float = 0.0
    unheard: float = 0.0
    slow: float = 0.0
    twice: float = 0.0
    conflict: float = 0.0
    busy: float = 0.0
    broken: float = 0.0
    late: float = 0.0
    mute: float = 0.0
    watch_forgotten: float = 0.0
    watch_cut: float = 0.0
    watch_ended: float = 0.0
    watch_mute: float = 0.0

    def of_requests(self) -> dict[str, float]:
        """Return the odds of what befalls requests."""
        names = (row.name for row in fields(self) if not row.name.startswith("watch_"))
        return {name: getattr(self, name) for name in names}

    def of_watches(self) -> dict[str, float]:
        """Return the odds of what befalls watches."""
        names = (row.name for row in fields(self) if row.name.startswith("watch_"))
        return {name: getattr(self, name) for name in names}


CALM = Faults()


@dataclass
class Line:
    """The proxy while it runs: how to reach it, what the weather is, and what it has counted.

    `silence_s` is how long a mute connection stays open at most.
    """

    dice: Random
    faults: Faults = CALM
    silence_s: float = 10.0
    url: str = ""
    asked: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    def drawn(self, odds: dict[str, float]) -> str:
        """Return the fault that meets a request, or ""."""
        left = self.dice.random()
        for name, odd in odds.items():
            if left < odd:
                self.done[name] += 1
                return name
            left -= odd
        return ""

    def most_per_s(self, over_s: int = 10) -> float:
        """Return how many requests a second there were when there were most of them."""
        if not self.asked:
            return 0.0
        first, last = min(self.asked), max(self.asked)
        windows = range(first, max(last - over_s, first) + 1)
        return max(sum(self.asked[at + i] for i in range(over_s)) for at in windows) / over_s


@contextlib.contextmanager
def bad_line(url: str, ca: str, line: Line) -> Iterator[Line]:
    """Put `line` before the server at `url` while this is open; its `url` says where."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="bad line")
    thread.start()

    def wait(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    proxy = _Proxy(url, ssl.create_default_context(cafile=ca), line)
    try:
        wait(proxy.open())
        yield line
    finally:
        with contextlib.suppress(TimeoutError):
            wait(proxy.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Cut(Exception):
    """The connection to the client is to be cut."""


class _Proxy:
    """Stands before one server."""

    def __init__(self, url: str, trusted: ssl.SSLContext, line: Line) -> None:
        self._url, self._trusted, self._line = url, trusted, line

    async def open(self) -> None:
        """Begin to listen."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._trusted)
        limits = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=limits, auto_decompress=False
        )
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        (address,) = self._runner.addresses
        self._line.url = f"http://{LOOPBACK}:{address[1]}"

    async def close(self) -> None:
        """Let go of everybody."""
        await self._runner.cleanup()
        await self._session.close()
        # Those whose clients have gone, but which still keep silent.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._line.asked[int(asyncio.get_running_loop().time())] += 1
        transport = request.transport
        try:
            if request.query.get("watch"):
                return await self._watch(request)
            return await self._request(request)
        except (_Cut, aiohttp.ClientError, ConnectionError):
            if transport is not None:
                transport.abort()
            return web.Response()

    async def _request(self, request: web.Request) -> web.StreamResponse:
        line = self._line
        fault = line.drawn(line.faults.of_requests())
        if fault == "conflict" and request.method == "GET":
            fault = ""
        if fault in _REFUSALS:
            code, reason, headers = _REFUSALS[fault]
            if fault == "late" and line.dice.random() < _HALF:
                await self._server_says(request)
            return _status(code, reason, headers)
        if fault == "lost":
            raise _Cut
        if fault == "slow":
            await _passed(line.dice.uniform(*_DELAY_S))
        answer = await self._server_says(request)
        if fault == "twice":
            answer = await self._server_says(request)
        if fault == "mute":
            await _passed(line.silence_s)
        if fault in ("unheard", "mute"):
            raise _Cut
        return answer

    async def _server_says(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._forwarded(request, body) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    def _forwarded(self, request: web.Request, body: bytes = b"") -> Any:
        kept = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        target = f"{self._url}{request.raw_path}"
        return self._session.request(request.method, target, headers=kept, data=body or None)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        line = self._line
        fault = line.drawn(line.faults.of_watches())
        # What befalls a watch does so after a while: most see some news before.
        calm_s = line.dice.expovariate(1 / _MEAN_CALM_S)
        async with self._forwarded(request) as answer:
            if answer.status != web.HTTPOk.status_code:
                return web.Response(status=answer.status, body=await answer.read())
            out = web.StreamResponse(headers={"Content-Type": "application/json"})
            await out.prepare(request)
            if fault == "watch_forgotten":
                gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                await out.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
                return out
            moment = asyncio.timeout(calm_s if fault else None)
            with contextlib.suppress(TimeoutError):
                async with moment:
                    async for piece in answer.content.iter_any():
                        await out.write(piece)
            if moment.expired() and fault != "watch_ended":
                await self._spoil(fault, out)
            return out

    async def _spoil(self, fault: str, out: web.StreamResponse) -> None:
        if fault == "watch_cut":
            await out.write(b'{"type": "MODIFIED", "obj')
        else:
            await _passed(self._line.silence_s)
        raise _Cut


async def _passed(seconds: float) -> None:
    """Return when so much time has passed: to be late is what a bad line is there for."""
    moment = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, moment.set)
    await moment.wait()


_HALF = 0.5
#: How long a watch that a fault will meet goes on before it, on the average (s).
_MEAN_CALM_S = 4.0


_REFUSALS: dict[str, tuple[int, str, dict[str, str]]] = {
    "conflict": (409, "Conflict", {}),
    "busy": (429, "TooManyRequests", {"Retry-After": "1"}),
    "broken": (500, "InternalError", {}),
    "late": (504, "Timeout", {}),
}


def _status(code: int, reason: str, headers: dict[str, str]) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "as the dice fell"}
    return web.json_response(body, status=code, headers=headers)
