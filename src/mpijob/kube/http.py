"""HTTP/1.1 to one server, by connections that are kept: requests, and answers that go on.

An operator lives on requests and watches, and most of the time of a general client goes into what
an API server never needs: cookies, redirects, charsets, pools for many hosts. This says when to
connect, wait and give up (decision 0013).

Guarantees: a request whose answer does not come whole raises `Broken`; a connection on which
anything went wrong is not used again; one that its server had closed while it rested is no failure
of a request that may be sent twice.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Self
from urllib.parse import quote, unquote, urlencode, urlsplit

from mpijob.kube.line import READ_BYTES, Broken, Line, connect

CONNECT_S = 10.0
#: A connection that rested for longer is not trusted to be whole still.
_KEPT_S = 75.0

_PORTS = {"http": 80, "https": 443}
#: Who asks for no coding may be answered in any.
_PLAIN = {"Accept-Encoding": "identity"}
#: For so long what comes in quick succession is left to gather.
_GATHER_S = 0.15
_LONG_AGO = float("-inf")
_SAFE = "/:@!$&'()*+,;=~"


class Answer:
    """What a server answers: its status and headers, and a body that may still be coming.

    Used as a context. What is not read of it by the end of that costs the connection, and so does
    `is_last`.
    """

    def __init__(self, line: Line, kept: list[Line]) -> None:
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
        """Yield the body as it comes. Raises Broken, also after a silence of `idle_s`.

        What comes piece by piece in quick succession is gathered for a moment: a hundred reads cost
        a hundred times as much as one. Who comes after a pause is read at once.
        """
        clock = asyncio.get_running_loop().time
        read_at = _LONG_AGO
        while True:
            size = 0
            while pieces := self._line.taken():
                for piece in pieces:
                    size += len(piece)
                    yield piece
            if self._line.is_whole:
                return
            follows_soon, read_at = clock() - read_at < _GATHER_S, clock()
            if follows_soon and 0 < size < READ_BYTES:
                with self._line.reading_paused():
                    await asyncio.sleep(_GATHER_S)
                read_at = clock()
            elif not await self._line.news(clock() + idle_s):
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
        self._kept: list[Line] = []
        self._open: set[Line] = set()

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

    async def _asked(self, request: bytes, until: float, *, may_repeat: bool) -> Line | None:
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

    def _rested(self) -> Line | None:
        """Return the connection that was used last and is whole, or None."""
        now = asyncio.get_running_loop().time()
        while self._kept:
            line = self._kept.pop()
            if not line.is_lost and now - line.rests_since < _KEPT_S:
                return line
            line.abort()
        return None

    async def _connected(self, until: float) -> Line | None:
        """Return a new connection, or None where there was none by `until`. Raises Broken."""
        patience_s = min(CONNECT_S, until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(patience_s):
                if self._proxy is None:
                    line = await connect(
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

    async def _through_proxy(self) -> Line:
        """Return a connection that a proxy hands on. Raises Broken, OSError."""
        proxy = self._proxy
        if proxy is None or proxy.hostname is None:
            raise Broken(f"{proxy.geturl() if proxy else 'a proxy'}: this names no host")
        trust = ssl.create_default_context() if proxy.scheme == "https" else None
        port = proxy.port or _PORTS.get(proxy.scheme, 80)
        line = await connect(proxy.hostname, port, trust, server_name=proxy.hostname)
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


def _head(first: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Return the head of a request. Raises Broken where a header would be more than one."""
    rows = [first, *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        rows.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(rows)
    if text.count("\n") != len(rows) - 1 or text.count("\r") != len(rows) - 1:
        raise Broken("a header of the request holds a line break")
    return f"{text}\r\n\r\n".encode("latin-1")
