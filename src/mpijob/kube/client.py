"""Requests to an API server: bounded, retried where that is safe, and refused in its own words."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from mpijob import __version__
from mpijob.kube.config import Connection
from mpijob.kube.credentials import CredentialsError
from mpijob.kube.http import Answer, Http
from mpijob.kube.line import Broken
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

_ANSWER_S = 60.0
#: How often a request is tried again that the server was too busy for: it did nothing with it.
_BUSY_TRIES = 8
_BUSY_S_MAX = 30.0

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
        self._http = Http(
            connection.server,
            connection.ssl,
            server_name=connection.server_name,
            proxy=connection.proxy,
            headers={"User-Agent": f"{agent}/{__version__}", "Accept": JSON},
        )
        self.requests: Counter[tuple[str, int]] = Counter()

    @property
    def is_welcome(self) -> bool:
        """Whether the server has answered, and not by asking who we are or that we may not."""
        return any(code < SERVER_ERRORS and code not in _UNWELCOME for _, code in self.requests)

    async def __aenter__(self) -> Self:
        """Be ready; connections are opened when they are needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.close()

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
        fresh = False
        for attempt in range(_BUSY_TRIES):
            status, text, wait = await self._whole(sent)
            if status < OK_END:
                return text
            if status == UNAUTHORIZED and not fresh:
                fresh = True
            elif wait is not None and attempt + 1 < _BUSY_TRIES:
                await asyncio.sleep(wait)
            else:
                raise _refusal(status, text, f"{method} {path}")
        raise Unreachable(f"{method} {path}: the API server is too busy")

    async def _whole(self, sent: "_Sent") -> tuple[int, bytes, float | None]:
        """Send a request; return status and body of its answer, and how long to wait if so told."""
        async with self._pace:
            try:
                async with await self._ask(sent, _ANSWER_S) as answer:
                    return answer.status, await answer.read(_ANSWER_S), _wait_s(answer)
            except Broken as broken:
                raise self._unreachable(sent, broken) from broken

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], *, idle_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on, and give its pieces as they come.

        Raises as `request` does, of a busy server after as long as it asks to be left alone. A
        stream that is silent for `idle_s` ends as Unreachable.
        """
        sent = _Sent("WATCH", path, None, JSON, query)
        try:
            async with await self._ask(sent, min(idle_s, _ANSWER_S)) as answer:
                if answer.status >= OK_END:
                    text = await answer.read(_ANSWER_S)
                    await asyncio.sleep(_wait_s(answer) or 0)
                    raise _refusal(answer.status, text, f"watch {path}")
                yield answer.pieces(idle_s)
        except Broken as broken:
            raise self._unreachable(sent, broken) from broken

    async def _ask(self, sent: "_Sent", patience_s: float) -> Answer:
        """Send a request and return its answer, whatever it is. Raises Unreachable, Broken."""
        try:
            shown = await self._connection.credentials.headers()
        except CredentialsError as broken:
            raise Unreachable(str(broken)) from broken
        typed = {} if sent.body is None else {"Content-Type": sent.content_type}
        answer = await self._http.ask(
            "GET" if sent.verb == "WATCH" else sent.verb,
            sent.path,
            query=sent.query,
            headers={**shown, **typed},
            body=sent.body,
            patience_s=patience_s,
        )
        self.requests[sent.verb, answer.status] += 1
        if answer.status == UNAUTHORIZED:
            self._connection.credentials.forget(shown)
            self._connection.reload()
            answer.is_last = True  # The connection has shown the old certificate once and for all.
        return answer

    def _unreachable(self, sent: "_Sent", broken: Broken) -> Unreachable:
        """Return what a request's failure is to who asked."""
        if broken.is_trust:
            self._connection.reload()
        return Unreachable(f"{sent.verb} {sent.path}: {broken}")


class _Sent(Struct, frozen=True):
    """A request; the verb of one whose answer goes on is WATCH."""

    verb: str
    path: str
    body: bytes | None
    content_type: str
    query: Mapping[str, str]


def _wait_s(answer: Answer) -> float | None:
    """Return how long (s) a busy server asks us to wait, with jitter; None where it is not busy."""
    if answer.status not in (TOO_MANY, 503):
        return None
    told = answer.header("retry-after")
    if answer.status != TOO_MANY and not told:
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
