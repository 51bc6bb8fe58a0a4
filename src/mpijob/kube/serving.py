"""What the operator answers over HTTP: whether it is well, whether it is ready, its metrics.

httptools reads the protocol, asyncio (or uvloop) has the sockets. Who asks is a kubelet or a
Prometheus; whoever else comes may ask for little, be silent for a while, and leave nothing unread
(decision 0018).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

#: More than any request of theirs, and than any answer but one, in bytes.
_REQUEST_BYTES = 16_384
_UNREAD_BYTES = 1 << 20
#: How long a peer may say nothing, in s: longer than the time between two probes or scrapes.
_SILENCE_S = 90.0

_TEXT = "text/plain; charset=utf-8"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class Health(Struct, frozen=True):
    """What the probes ask.

    Args:
        healthy: The process does what it is there for: it leads and renews, or waits to.
        ready: It could take over: its client answers, or it leads with all its caches full.

    """

    healthy: Callable[[], bool]
    ready: Callable[[], bool]


class _Page(Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes
    type: str = _TEXT


_Pages = Mapping[bytes, Callable[[], _Page]]
_NOT_FOUND = _Page(404, b"not found")
_NOT_ALLOWED = _Page(405, b"method not allowed")
_NO_REQUEST = _Page(400, b"bad request")


@asynccontextmanager
async def served(
    health: Health,
    metrics: Callable[[], bytes],
    *,
    health_port: int,
    metrics_port: int,
    silence_s: float = _SILENCE_S,
) -> AsyncIterator[None]:
    """Serve `/healthz`, `/healthz/leaderElection`, `/readyz` and `/metrics` while this is open.

    A port of 0 serves nothing there. Raises OSError where a port is taken.
    """

    def answer(well: Callable[[], bool]) -> Callable[[], _Page]:
        return lambda: _Page(200, b"ok") if well() else _Page(503, b"not ok")

    probes: _Pages = {
        b"/healthz": answer(health.healthy),
        b"/healthz/leaderElection": answer(health.healthy),
        b"/readyz": answer(health.ready),
    }
    numbers: _Pages = {b"/metrics": lambda: _Page(200, metrics(), CONTENT_TYPE_LATEST)}
    loop = asyncio.get_running_loop()
    peers: set[_Peer] = set()
    servers = []

    def welcome(pages: _Pages) -> Callable[[], _Peer]:
        return lambda: _Peer(pages, peers, silence_s)

    try:
        for pages, port in ((probes, health_port), (numbers, metrics_port)):
            if port:
                servers.append(await loop.create_server(welcome(pages), None, port))
        yield
    finally:
        for server in servers:
            server.close()
        for peer in list(peers):
            peer.dismiss()


class _Peer(asyncio.Protocol):
    """One who asks, over one connection."""

    def __init__(self, pages: _Pages, peers: "set[_Peer]", silence_s: float) -> None:
        """`peers` are all that are connected."""
        self._pages = pages
        self._peers = peers
        self._silence_s = silence_s
        self._parser = HttpRequestParser(self)
        self._asked: list[tuple[bytes, bytes, bool]] = []
        self._url = b""
        self._size = 0

    def dismiss(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's are none of asyncio's, and made of all that those are.
        self._transport = cast(asyncio.Transport, transport)
        self._peers.add(self)
        self._listen()

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request, and answer what is whole."""
        self._size += len(data)
        last: _Page | None = None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            # Another protocol is not spoken here: who asks is answered in this one, and goes.
            self._asked = [(method, url, False) for method, url, _ in self._asked]
        except HttpParserError:
            last = _NO_REQUEST
        asked, self._asked = self._asked, []
        for method, url, stays in asked:
            told = self._page(method, url)
            self._answer(told, stays=stays, is_told=method != b"HEAD")
        if last is not None:
            self._answer(last, stays=False)
        if self._size > _REQUEST_BYTES:
            self.dismiss()

    def connection_lost(self, _error: Exception | None) -> None:
        """End."""
        self._peers.discard(self)
        self._alarm.cancel()

    # What httptools calls.

    def on_url(self, piece: bytes) -> None:
        """Take in a piece of what is asked for."""
        self._url += piece

    def on_message_complete(self) -> None:
        """Take in that a request is whole."""
        asked = self._parser.get_method(), self._url, self._parser.should_keep_alive()
        self._asked.append(asked)
        self._url, self._size = b"", 0
        self._alarm.cancel()
        self._listen()

    # How it is done.

    def _page(self, method: bytes, url: bytes) -> _Page:
        if method not in (b"GET", b"HEAD"):
            return _NOT_ALLOWED
        page = self._pages.get(url.partition(b"?")[0])
        return page() if page is not None else _NOT_FOUND

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._silence_s, self._transport.close)

    def _answer(self, page: _Page, *, stays: bool, is_told: bool = True) -> None:
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.dismiss()
            return
        rows = [
            f"HTTP/1.1 {page.status} {_REASONS[page.status]}",
            f"Content-Type: {page.type}",
            f"Content-Length: {len(page.body)}",
            f"Connection: {'keep-alive' if stays else 'close'}",
        ]
        head = "\r\n".join(rows) + "\r\n\r\n"
        self._transport.write(head.encode() + (page.body if is_told else b""))
        if not stays:
            self._transport.close()
