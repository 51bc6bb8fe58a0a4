"""One connection to an HTTP/1.1 server: it sends requests, and reads the answer to each.

httptools reads the protocol, asyncio (or uvloop) the socket and TLS.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httptools import HttpParserError, HttpResponseParser

#: How much of one read is taken in at once, and how much of an answer may lie unread.
READ_BYTES = 65_536
_UNREAD_BYTES = 4 * 2**20
#: Of two addresses of a server, the second is tried too where the first is silent for so long.
_SECOND_ADDRESS_S = 0.25

#: After so long a silence a peer is asked for a sign of life, so often, so many times (s, s, 1);
#: and how long it may leave unacknowledged what was sent (ms). A peer that vanished says nothing,
#: and who only reads would wait for ever.
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 15),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, 30_000),
)
_NEVER = float("inf")


class Broken(Exception):
    """No whole answer came; `is_trust` where one of the two does not trust the other."""

    def __init__(self, said: str, *, is_trust: bool = False) -> None:
        super().__init__(said)
        self.is_trust = is_trust


class Line(asyncio.BufferedProtocol):
    """One connection: sends requests, reads the answer to each."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(READ_BYTES))
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._until = _NEVER
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._end: Broken | None = None
        self._is_coming = False
        self._parser = HttpResponseParser(self)
        self.closed = asyncio.Event()
        self.rests_since = 0.0
        self._anew()

    def _anew(self) -> None:
        """Be ready for the next answer."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.is_whole = False
        self.has_heard = False
        self._stays = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended, or is told to."""
        return self._end is not None

    @property
    def may_be_kept(self) -> bool:
        """Whether the answer has been read to its end, and another may follow."""
        return self._stays and self.is_whole and not self._pieces and not self.is_lost

    def send(self, request: bytes) -> None:
        """Send a request; the last answer has been read."""
        if self._transport is None or self._transport.is_closing():
            raise self._end or Broken("the connection was closed")
        self._anew()
        self._is_coming = True
        self._transport.write(request)

    async def news(self, until: float = _NEVER) -> bool:
        """Return once more of the answer has come, or False where none had by `until`.

        `until` is a time of the loop. Raises Broken where no more will come.
        """
        came = True
        if self._end is None:
            self._waiter = waiter = self._loop.create_future()
            self._wake_by(until)
            try:
                came = await waiter
            finally:
                self._waiter = None
        if self.is_lost and not self.is_whole:
            raise self._end or Broken("the connection was closed")
        return came

    def _wake_by(self, until: float) -> None:
        """See to it that who waits is woken at `until`.

        An alarm that is set stays, and is put off when it rings too soon: nearly all answers come
        long before theirs, and so a connection has one alarm for hundreds of them.
        """
        self._until = until
        if self._alarm is not None:
            if self._alarm.when() <= until:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(until, self._ring) if until < _NEVER else None

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is not None and self._until < _NEVER:
            if self._loop.time() >= self._until:
                _wake(self._waiter, False)
            else:
                self._wake_by(self._until)

    def taken(self) -> list[bytes]:
        """Take what has come of the body."""
        pieces = list(self._pieces)
        self._pieces.clear()
        if self._unread > _UNREAD_BYTES and self._transport is not None:
            self._transport.resume_reading()
        self._unread = 0
        return pieces

    @contextmanager
    def reading_paused(self) -> Iterator[None]:
        """Leave unread what comes meanwhile."""
        transport = self._transport
        if transport is None:
            yield
            return
        # TLS reads ahead of who is paused, piece by piece, unless its buffer is full at once.
        limit = getattr(transport, "set_read_buffer_limits", lambda **_: None)
        transport.pause_reading()
        limit(high=1, low=0)
        try:
            yield
        finally:
            if not self.is_lost:
                limit()
                transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once."""
        self._broke(Broken("the connection was closed"))
        if self._transport is not None:
            self._transport.abort()

    async def secured(self, trust: ssl.SSLContext, server_name: str) -> "Line":
        """Return a connection by TLS within this one, which is not used any more itself."""
        if self._transport is None:
            raise Broken("the connection was closed")
        inner = Line()
        made = await asyncio.get_running_loop().start_tls(
            self._transport, inner, trust, server_hostname=server_name
        )
        if made is None:
            raise Broken("the connection was closed")
        inner.connection_made(made)
        return inner

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # A stream's, by how it was made.

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return where the next read goes."""
        return self._room

    def buffer_updated(self, count: int) -> None:
        """Take in a read."""
        self.has_heard = True
        if not self._is_coming:
            self.abort()  # Nothing was asked.
            return
        try:
            self._parser.feed_data(self._room[:count])
        except HttpParserError as odd:
            self._broke(Broken(f"this is no answer of an HTTP server: {odd}"))
            self.abort()
        if self._unread > _UNREAD_BYTES and self._transport is not None:
            self._transport.pause_reading()
        _wake(self._waiter, True)

    def eof_received(self) -> bool:
        """Have the connection closed; there is no half of one."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End what is under way."""
        if self._is_coming and error is None and self._ends_with_connection():
            self.is_whole = True
        is_trust = isinstance(error, ssl.SSLError)
        self._broke(Broken(str(error or "the server closed the connection"), is_trust=is_trust))
        self._transport = None
        if self._alarm is not None:
            self._alarm.cancel()
        self.closed.set()
        _wake(self._waiter, True)

    def _ends_with_connection(self) -> bool:
        """Say whether nothing but its end tells how long the answer is."""
        names = {name.lower() for name, _ in self.headers}
        return bool(self.status) and not names & {b"content-length", b"transfer-encoding"}

    def _broke(self, why: Broken) -> None:
        self._end = self._end or why

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Know from here on what the answer is."""
        status = self._parser.get_status_code()
        if self.is_whole:
            raise ValueError("a second answer to one request")
        if status >= 200:
            self.status = status
            self._stays = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """Take in a piece of the body."""
        self._pieces.append(piece)
        self._unread += len(piece)

    def on_message_complete(self) -> None:
        """Know that the answer is whole."""
        if self.status:
            self.is_whole = True
            self._is_coming = False
        else:
            self.headers.clear()  # It was a word in between (100); the answer follows.


async def connect(host: str, port: int, trust: ssl.SSLContext | None, *, server_name: str) -> Line:
    """Return a connection to a host. Raises OSError."""
    loop = asyncio.get_running_loop()
    # uvloop tries one address after the other.
    second: dict[str, Any] = {}
    if isinstance(loop, asyncio.BaseEventLoop):
        second["happy_eyeballs_delay"] = _SECOND_ADDRESS_S
    transport, line = await loop.create_connection(
        Line,
        host,
        port,
        ssl=trust,
        server_hostname=server_name if trust else None,
        **second,
    )
    plug = transport.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        plug.setsockopt(socket.IPPROTO_TCP, option, value)
    return line


def _wake(waiter: "asyncio.Future[bool] | None", came: bool) -> None:  # noqa: FBT001
    """Tell who waits, if anybody still does, whether what they wait for came."""
    if waiter is not None and not waiter.done():
        waiter.set_result(came)
