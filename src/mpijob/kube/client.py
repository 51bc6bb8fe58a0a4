"""Requests to an API server: bounded, retried where that is safe, and refused in its own words."""

import asyncio
import random
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from aiohttp.connector import AddrInfoType

from mpijob import __version__
from mpijob.kube.config import Connection
from mpijob.kube.credentials import CredentialsError
from mpijob.ports import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    Unknown,
    Unreachable,
    Unserved,
)

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
#: Named for YAML, of which JSON is a part.
APPLY_PATCH = "application/apply-patch+yaml"

_CONNECT_S = 10.0
_ANSWER_S = 60.0
#: How often a request is tried again that the server was too busy for: it did nothing with it.
_BUSY_TRIES = 8
_BUSY_S_MAX = 30.0

#: After so long a silence a peer is asked for a sign of life, so often, so many times (s, s, 1);
#: and how long it may leave unacknowledged what was sent (ms).
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 15),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, 30_000),
)

#: The first answer that is no success.
OK_END = 300
UNAUTHORIZED, FORBIDDEN, TOO_MANY = 401, 403, 429
SERVER_ERRORS = 500
_UNWELCOME = (UNAUTHORIZED, FORBIDDEN, TOO_MANY)


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


class _Details(msgspec.Struct):
    name: str = ""


class _Status(msgspec.Struct):
    """The API server's answer to what it will not do."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


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
        self.requests: Counter[tuple[str, int]] = Counter()

    @property
    def is_welcome(self) -> bool:
        """Whether the server has answered, and not by asking who we are or that we may not."""
        return any(code < SERVER_ERRORS and code not in _UNWELCOME for _, code in self.requests)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        connector = aiohttp.TCPConnector(
            limit=0,
            # None would leave https unverified.
            ssl=self._connection.ssl or True,
            keepalive_timeout=75,
            socket_factory=_watchful,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._agent, "Accept": JSON},
            cookie_jar=aiohttp.DummyCookieJar(),
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
        sent = _Sent(method, path, body, content_type, query or {})
        limits = aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S)
        fresh = False
        for attempt in range(_BUSY_TRIES):
            async with self._pace, self._answered(sent, limits) as response:
                status, answer, wait = response.status, await response.read(), _wait_s(response)
            if status < OK_END:
                return answer
            if status == UNAUTHORIZED and not fresh:
                fresh = True
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

        Raises as `request` does, of a busy server after as long as it asks to be left alone. A
        stream that is silent for `idle_s` ends as Unreachable.
        """
        sent = _Sent("WATCH", path, None, JSON, query)
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=idle_s)
        async with self._answered(sent, limits) as response:
            if response.status >= OK_END:
                answer = await response.read()
                await asyncio.sleep(_wait_s(response) or 0)
                raise _refusal(response.status, answer, f"watch {path}")
            yield response.content.iter_any()

    @asynccontextmanager
    async def _answered(
        self, sent: "_Sent", limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer, whatever it is. Raises Unreachable."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            shown = await self._connection.credentials.headers()
        except CredentialsError as broken:
            raise Unreachable(str(broken)) from broken
        typed = {} if sent.body is None else {"Content-Type": sent.content_type}
        try:
            async with self._session.request(
                "GET" if sent.verb == "WATCH" else sent.verb,
                f"{self._connection.server}{sent.path}",
                data=sent.body,
                headers={**shown, **typed},
                params=sent.query,
                timeout=limits,
                server_hostname=self._connection.server_name,
                proxy=self._connection.proxy,
                # An API server sends nobody elsewhere; who does may not have our credentials.
                allow_redirects=False,
            ) as response:
                self.requests[sent.verb, response.status] += 1
                try:
                    yield response
                finally:
                    if response.status == UNAUTHORIZED:
                        self._renew(response, shown)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as broken:
            if isinstance(broken, aiohttp.ClientSSLError):
                self._connection.reload()
            raise Unreachable(f"{sent.verb} {sent.path}: {_said(broken)}") from broken

    def _renew(self, response: aiohttp.ClientResponse, shown: Mapping[str, str]) -> None:
        """Have everything drawn anew that a server did not take, and the connection with it."""
        self._connection.credentials.forget(shown)
        self._connection.reload()
        # It has shown the old certificate once and for all.
        response.close()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request; the verb of one whose answer goes on is WATCH."""

    verb: str
    path: str
    body: bytes | None
    content_type: str
    query: Mapping[str, str]


def _watchful(address: AddrInfoType) -> socket.socket:
    """Return a socket that finds out within about half a minute that its peer is gone.

    A peer that vanished says nothing, and who only reads would wait for ever. `TCP_USER_TIMEOUT`
    ends what was sent and not taken in.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


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
            # What is not there has a name; where the server names nothing, it serves no such thing.
            named = said.details is not None and said.details.name
            return NotFound(message) if named else Unserved(message)
        case 409:
            return Conflict(message)
        case 410:
            return Expired(message)
        case 401:
            return Unknown(message)
        case 403 if " cannot " in message:
            # So says who guards rights; what guards the objects (quotas, standards) says "is".
            return Forbidden(message)
        case 400 | 403 | 405 | 406 | 413 | 415 | 422:
            return Refused(message)
        case _:
            return Unreachable(f"{what}: HTTP {status}: {message}")


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
