"""HTTP/1.1 to one server, by connections that are kept: requests, and answers that go on.

An operator lives on requests and watches, and most of the time of a general client goes into what
an API server never needs: cookies, redirects, charsets, pools for many hosts. httptools reads the
protocol, asyncio the sockets and TLS; this says when to connect, wait and give up (decision 0013).

Guarantees: a request whose answer does not come whole raises `Broken`; a connection on which
anything went wrong is not used again; one that its server had closed while it rested is no failure
of a request that may be sent twice.
"""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Self
from urllib.parse import quote, unquote, urlencode, urlsplit

from httptools import HttpParserError, HttpResponseParser

CONNECT_S = 10.0
#: A connection that rested for longer is not trusted to be whole still.
_KEPT_S = 75.0
#: How much of one read is taken in at once, and how much of an answer may lie unread.
_READ_BYTES = 65_536
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
_PORTS = {"http": 80, "https": 443}
#: Who asks for no coding may be answered in any.
_PLAIN = {"Accept-Encoding": "identity"}
_NEVER = float("inf")
_SAFE = "/:@!$&'()*+,;=~"


class Broken(Exception):
    """No whole answer came; `is_trust` where one of the two does not trust the other."""

    def __init__(self, said: str, *, is_trust: bool = False) -> None:
        super().__init__(said)
        self.is_trust = is_trust


class Answer:
    """What a server answers: its status and headers, and a body that may still be coming.

    Used as a context. What is not read of it by the end of that costs the connection, and so does
    `is_last`.
    """

    def __init__(self, line: "_Line", kept: list["_Line"]) -> None:
        self._line = line
        self._kept = kept
        self.is_last = False
        self.status = line.status

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Keep the connection for the next request, if nothing was left of this one."""
        line = self._line
        if line.may_be_kept and not self.is_last:
            line.rests_since = asyncio.get_running_loop().time()
            self._kept.append(line)
        else:
            line.abort()

    def header(self, name: str) -> str:
        """Return a header's value; "" where there is none. `name` is in lower case."""
        wanted = name.encode()
        found = (value for key, value in self._line.headers if key.lower() == wanted)
        return next(found, b"").decode("latin-1")

    async def read(self, patience_s: float) -> bytes:
        """Return the whole body. Raises Broken, also where it is not there within `patience_s`."""
        pieces = self._line.taken()
        if not self._line.is_whole:
            until = asyncio.get_running_loop().time() + patience_s
            while not self._line.is_whole:
                if not await self._line.news(until):
                    raise Broken(f"no whole answer within {patience_s:.0f} s")
                pieces += self._line.taken()
        return b"".join(pieces)

    async def pieces(self, idle_s: float) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises Broken, also after a silence of `idle_s`."""
        clock = asyncio.get_running_loop().time
        while True:
            while pieces := self._line.taken():
                for piece in pieces:
                    yield piece
            if self._line.is_whole:
                return
            if not await self._line.news(clock() + idle_s):
                raise Broken(f"nothing came for {idle_s:.0f} s")

    def close(self) -> None:
        """Have the connection closed rather than kept."""
        self._line.abort()


class Http:
    """One server, and the connections to it that are kept.

    Args:
        url: Where it is: scheme, host, port, and what stands before each path.
        trust: Whom TLS trusts and what it shows; None for whom the machine trusts.
        server_name: The name in the server's certificate, where that is not in its URL.
        proxy: The URL of an HTTP proxy to go through, or None.
        headers: What each request bears.

    """

    def __init__(
        self,
        url: str,
        trust: ssl.SSLContext | None,
        *,
        server_name: str | None = None,
        proxy: str | None = None,
        headers: Mapping[str, str],
    ) -> None:
        place = urlsplit(url)
        self._is_secret = place.scheme == "https"
        self._host = place.hostname or ""
        self._port = place.port or _PORTS[place.scheme]
        self._trust = (trust or ssl.create_default_context()) if self._is_secret else None
        self._server_name = server_name or self._host
        self._proxy = urlsplit(proxy) if proxy else None
        # A proxy is told the whole address, unless it only hands on what it cannot read.
        is_told = self._proxy is not None and not self._is_secret
        self._before = url.rstrip("/") if is_told else place.path.rstrip("/")
        self._headers = {"Host": place.netloc.rpartition("@")[2], **_PLAIN, **headers}
        if is_told:
            self._headers |= self._proxy_headers()
        self._kept: list[_Line] = []
        self._open: set[_Line] = set()

    async def close(self) -> None:
        """Close the connections. What is still under way breaks."""
        for line in tuple(self._open):
            line.abort()
        await asyncio.gather(*(line.closed.wait() for line in self._open))
        self._open.clear()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
        patience_s: float,
    ) -> Answer:
        """Send a request and return its answer once its head is there, within `patience_s`.

        Raises Broken.
        """
        target = self._before + quote(path, _SAFE) + (f"?{urlencode(query)}" if query else "")
        head = _head(f"{method} {target} HTTP/1.1", {**self._headers, **headers}, body)
        until = asyncio.get_running_loop().time() + patience_s
        line = await self._asked(head + (body or b""), until, may_repeat=method == "GET")
        if line is None:
            raise Broken(f"no answer within {patience_s:.0f} s")
        answer = Answer(line, self._kept)
        coding = answer.header("content-encoding")
        if coding not in ("", "identity"):
            answer.close()
            raise Broken(f"the answer is coded as {coding}, and no coding was asked for")
        return answer

    async def _asked(self, request: bytes, until: float, *, may_repeat: bool) -> "_Line | None":
        """Send a request and return its connection once the answer's head is there, None if late.

        `until` is a time of the loop. Raises Broken.
        """
        while True:
            line, was_kept = self._rested(), True
            if line is None:
                line, was_kept = await self._connected(until), False
            if line is None:
                return None
            try:
                line.send(request)
                while not line.status:
                    if not await line.news(until):
                        line.abort()
                        return None
            except Broken:
                line.abort()
                if was_kept and may_repeat and not line.has_heard:
                    continue  # It had been closed at the other end while it rested.
                raise
            except BaseException:
                line.abort()
                raise
            return line

    def _rested(self) -> "_Line | None":
        """Return the connection that was used last and is whole, or None."""
        now = asyncio.get_running_loop().time()
        while self._kept:
            line = self._kept.pop()
            if not line.is_lost and now - line.rests_since < _KEPT_S:
                return line
            line.abort()
        return None

    async def _connected(self, until: float) -> "_Line | None":
        """Return a new connection, or None where there was none by `until`. Raises Broken."""
        patience_s = min(CONNECT_S, until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(patience_s):
                if self._proxy is None:
                    line = await _connect(
                        self._host, self._port, self._trust, server_name=self._server_name
                    )
                else:
                    line = await self._through_proxy()
        except TimeoutError as silent:
            if patience_s < CONNECT_S:
                return None
            where = f"{self._host}:{self._port}"
            raise Broken(f"{where}: no connection within {CONNECT_S:.0f} s") from silent
        except OSError as broken:
            is_trust = isinstance(broken, ssl.SSLError)
            where = f"{self._host}:{self._port}"
            raise Broken(f"{where}: {broken}", is_trust=is_trust) from broken
        self._open = {line, *(other for other in self._open if not other.closed.is_set())}
        return line

    async def _through_proxy(self) -> "_Line":
        """Return a connection that a proxy hands on. Raises Broken, OSError."""
        proxy = self._proxy
        if proxy is None or proxy.hostname is None:
            raise Broken(f"{proxy.geturl() if proxy else 'a proxy'}: this names no host")
        trust = ssl.create_default_context() if proxy.scheme == "https" else None
        port = proxy.port or _PORTS.get(proxy.scheme, 80)
        line = await _connect(proxy.hostname, port, trust, server_name=proxy.hostname)
        if self._trust is None:
            return line
        host = f"[{self._host}]" if ":" in self._host else self._host
        where = f"{host}:{self._port}"
        line.send(_head(f"CONNECT {where} HTTP/1.1", {"Host": where, **self._proxy_headers()}))
        try:
            while not line.status:
                await line.news()
            if line.status >= 300:
                raise Broken(f"the proxy {proxy.hostname}:{port} answers HTTP {line.status}")
            return await line.secured(self._trust, self._server_name)
        except BaseException:
            line.abort()
            await line.closed.wait()
            raise

    def _proxy_headers(self) -> dict[str, str]:
        proxy = self._proxy
        if proxy is None or proxy.username is None:
            return {}
        shown = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {b64encode(shown.encode()).decode()}"}


class _Line(asyncio.BufferedProtocol):
    """One connection: sends requests, reads the answer to each."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(_READ_BYTES))
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

    def abort(self) -> None:
        """Close the connection at once."""
        self._broke(Broken("the connection was closed"))
        if self._transport is not None:
            self._transport.abort()

    async def secured(self, trust: ssl.SSLContext, server_name: str) -> "_Line":
        """Return a connection by TLS within this one, which is not used any more itself."""
        if self._transport is None:
            raise Broken("the connection was closed")
        inner = _Line()
        made = await asyncio.get_running_loop().start_tls(
            self._transport, inner, trust, server_hostname=server_name
        )
        if made is None:
            raise Broken("the connection was closed")
        inner.connection_made(made)
        return inner

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # A stream's, by how it was made.

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, count: int) -> None:
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
        return False

    def connection_lost(self, error: Exception | None) -> None:
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
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.is_whole:
            raise ValueError("a second answer to one request")
        if status >= 200:
            self.status = status
            self._stays = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._unread += len(piece)

    def on_message_complete(self) -> None:
        if self.status:
            self.is_whole = True
            self._is_coming = False
        else:
            self.headers.clear()  # It was a word in between (100); the answer follows.


async def _connect(
    host: str, port: int, trust: ssl.SSLContext | None, *, server_name: str
) -> _Line:
    """Return a connection to a host. Raises OSError."""
    transport, line = await asyncio.get_running_loop().create_connection(
        _Line,
        host,
        port,
        ssl=trust,
        server_hostname=server_name if trust else None,
        happy_eyeballs_delay=_SECOND_ADDRESS_S,
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


def _head(first: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Return the head of a request. Raises Broken where a header would be more than one."""
    rows = [first, *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        rows.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(rows)
    if text.count("\n") != len(rows) - 1 or text.count("\r") != len(rows) - 1:
        raise Broken("a header of the request holds a line break")
    return f"{text}\r\n\r\n".encode("latin-1")
