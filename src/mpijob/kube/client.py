"""Requests to an API server: bounded, retried where that is safe, and refused in its own words."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from mpijob import __version__
from mpijob.kube.config import Connection
from mpijob.kube.credentials import CredentialsError
from mpijob.ports import Conflict, NotFound, Refused, Unreachable

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
#: Named for YAML, of which JSON is a part.
APPLY_PATCH = "application/apply-patch+yaml"

_CONNECT_S = 10.0
_ANSWER_S = 60.0
#: How often a request is tried again that the server was too busy for: it did nothing with it.
_BUSY_TRIES = 8
_BUSY_S_MAX = 30.0

UNAUTHORIZED, NOT_FOUND, CONFLICT, GONE, TOO_MANY = 401, 404, 409, 410, 429


class Expired(Exception):
    """The resource version is older than what the server still knows: list anew."""


class Pace:
    """How fast requests may be sent: so many at the same time, and so many begun a second.

    Args:
        at_once: How many may be under way.
        per_s: How many may be begun a second, the first `at_once` at once; 0 for no such bound.

    """

    def __init__(self, at_once: int = 64, per_s: float = 0.0) -> None:
        self._gate = asyncio.Semaphore(at_once)
        self._per_s = per_s
        self._burst = at_once
        self._free_at = 0.0

    async def __aenter__(self) -> None:
        """Wait for a place, and for the moment at which the next may begin."""
        await self._gate.acquire()
        if self._per_s > 0:
            now = asyncio.get_running_loop().time()
            self._free_at = max(self._free_at, now - self._burst / self._per_s) + 1 / self._per_s
            await asyncio.sleep(max(self._free_at - now, 0.0))

    async def __aexit__(self, *_: object) -> None:
        """Give the place back."""
        self._gate.release()


class _Status(msgspec.Struct):
    """The API server's answer to what it will not do."""

    message: str = ""
    reason: str = ""
    code: int = 0


class Client:
    """One API server, by a bounded number of connections that are kept alive.

    Used as an async context. `requests` counts what was sent, by verb and answer.
    """

    def __init__(
        self, connection: Connection, pace: Pace | None = None, *, agent: str = "mpijob"
    ) -> None:
        self._connection = connection
        self._pace = pace or Pace()
        self._agent = f"{agent}/{__version__}"
        self._session: aiohttp.ClientSession | None = None
        self.requests: dict[tuple[str, int], int] = {}

    async def __aenter__(self) -> Self:
        """Open the connections."""
        connector = aiohttp.TCPConnector(
            limit=0, ssl=self._connection.ssl or False, keepalive_timeout=75
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._agent, "Accept": JSON},
            auto_decompress=True,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """Send one request and return what it was answered with.

        A server that is too busy (429, or 503 with Retry-After) has done nothing, and is asked
        again after as long as it says. Credentials that it does not take are drawn anew once.

        Raises:
            Conflict, NotFound, Refused, Expired: it said no, in its own words.
            Unreachable: no answer came, or the server failed: whether it took effect is unknown.

        """
        fresh = False
        for attempt in range(_BUSY_TRIES):
            async with self._pace:
                status, answer, wait = await self._send(method, path, body, content_type, query)
            self.requests[method, status] = self.requests.get((method, status), 0) + 1
            if status < 300:
                return answer
            if status == UNAUTHORIZED and not fresh:
                fresh = True
                self._connection.credentials.forget()
            elif wait is not None and attempt + 1 < _BUSY_TRIES:
                await asyncio.sleep(wait)
            else:
                raise _refusal(status, answer, f"{method} {path}")
        raise Unreachable(f"{method} {path}: the API server is too busy")

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], *, idle_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on, and give its pieces as they come.

        Raises as `request` does; a stream that is silent for `idle_s` ends as Unreachable.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=idle_s)
        try:
            async with self._open("GET", path, None, JSON, query, timeout) as response:
                self.requests["WATCH", response.status] = (
                    self.requests.get(("WATCH", response.status), 0) + 1
                )
                if response.status >= 300:
                    if response.status == UNAUTHORIZED:
                        self._connection.credentials.forget()
                    raise _refusal(response.status, await response.read(), f"watch {path}")
                yield response.content.iter_any()
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as broken:
            raise Unreachable(f"watch {path}: {_said(broken)}") from broken

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        query: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> "_Opened":
        return _Opened(self, (method, path, body, content_type, query, timeout))

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        query: Mapping[str, str] | None,
    ) -> tuple[int, bytes, float | None]:
        """Return the status, the answer, and how long to wait before trying again (s), if so."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S)
        try:
            async with self._open(method, path, body, content_type, query, timeout) as response:
                answer = await response.read()
                return response.status, answer, _wait_s(response)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as broken:
            raise Unreachable(f"{method} {path}: {_said(broken)}") from broken

    async def open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        query: Mapping[str, str] | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request and return the answer as soon as it begins."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            headers = dict(await self._connection.credentials.headers())
        except CredentialsError as broken:
            raise Unreachable(str(broken)) from broken
        if body is not None:
            headers["Content-Type"] = content_type
        return await self._session.request(
            method,
            f"{self._connection.server}{path}",
            data=body,
            headers=headers,
            params=dict(query or {}),
            timeout=limits,
            server_hostname=self._connection.server_name,
        )


class _Opened:
    """An answer as an async context that gives the connection back."""

    def __init__(
        self,
        client: Client,
        call: tuple[str, str, bytes | None, str, Mapping[str, str] | None, aiohttp.ClientTimeout],
    ) -> None:
        self._client = client
        self._call = call
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self._client.open(*self._call)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.release()


def _wait_s(response: aiohttp.ClientResponse) -> float | None:
    """Return how long (s) a busy server asks us to wait, with jitter; None where it is not busy."""
    told = response.headers.get("Retry-After", "")
    if response.status != TOO_MANY and not (response.status == 503 and told):
        return None
    seconds = float(told) if told.isdigit() else 1.0
    return min(seconds, _BUSY_S_MAX) * random.uniform(1.0, 1.25)


def _refusal(status: int, answer: bytes, what: str) -> Exception:
    try:
        said = msgspec.json.decode(answer, type=_Status)
    except msgspec.DecodeError:
        said = _Status(message=answer[:200].decode(errors="replace"))
    message = said.message or f"{what}: HTTP {status}"
    match status:
        case 404:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 410:
            return Expired(message)
        case 400 | 401 | 403 | 405 | 406 | 413 | 415 | 422:
            return Refused(message)
        case _:
            return Unreachable(f"{what}: HTTP {status}: {message}")


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
