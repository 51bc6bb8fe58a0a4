"""An API server, asked as fast as an HTTP client can ask. Shares nothing with the operator's."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from mpijob.kube import config

JSON = "application/json"
MERGE = "application/merge-patch+json"
#: How a list or a watch is asked for names and labels alone.
METADATA = "application/json;as={};g=meta.k8s.io;v=v1"
#: How many requests are under way at the same time, as `Server.ask`'s callers bound them.
AT_ONCE = 64


class Unwanted(Exception):
    """The server did not do what was asked."""


class _Meta(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")


class _Object(msgspec.Struct):
    metadata: _Meta


class _Line(msgspec.Struct):
    object: _Object


class _ListMeta(msgspec.Struct):
    more: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta


class Server:
    """One API server and one user of it; used as an async context."""

    def __init__(self, kubeconfig: Path, agent: str) -> None:
        """`agent` is what the audit log knows the requests by."""
        self._connection = config.connection(str(kubeconfig))
        self._agent = agent

    async def __aenter__(self) -> Self:
        shown = await self._connection.credentials.headers()
        self._session = aiohttp.ClientSession(
            self._connection.server,
            connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=self._connection.ssl or False),
            headers={"User-Agent": self._agent, "Accept": JSON, **shown},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=600),
            read_bufsize=1 << 20,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, verb: str, path: str, body: bytes = b"", form: str = JSON) -> bytes:
        """Send a request and return the answer. Raises Unwanted where the server says no."""
        headers = {"Content-Type": form}
        async with self._session.request(verb, path, data=body, headers=headers) as answer:
            said = await answer.read()
            if answer.status >= 300:
                raise Unwanted(f"{verb} {path}: {answer.status} {said[:500]!r}")
            return said

    async def read(self, path: str) -> Any:
        """Return the object or list at `path`."""
        return msgspec.json.decode(await self.ask("GET", path))

    async def read_all(self, path: str) -> None:
        """Read the collection `path`, page by page."""
        more = ""
        while True:
            page = await self.ask("GET", f"{path}?limit=500&continue={more}")
            more = msgspec.json.decode(page, type=_Page).metadata.more
            if not more:
                return

    async def follow(
        self, path: str, *, since: str, metadata_only: bool = False, **query: str
    ) -> AsyncIterator[bytes]:
        """Yield the lines of a watch of the collection `path`, as they come.

        A watcher that a busy server took for too slow goes on where it was.
        """
        form = METADATA.format("PartialObjectMetadata") if metadata_only else JSON
        while True:
            asked = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "7200", **query}
            unread = line = b""
            async with self._session.get(path, params=asked, headers={"Accept": form}) as answer:
                if answer.status >= 300:
                    raise Unwanted(f"watch {path}: {answer.status} {await answer.text()}")
                async for piece in answer.content.iter_any():
                    *lines, unread = (unread + piece).split(b"\n")
                    for line in lines:
                        yield line
            if line:
                since = msgspec.json.decode(line, type=_Line).object.metadata.version

    async def version(self, path: str) -> str:
        """Return the version of the collection `path` as it is now, from which to follow it."""
        separator = "&" if "?" in path else "?"
        return str((await self.read(f"{path}{separator}limit=1"))["metadata"]["resourceVersion"])
