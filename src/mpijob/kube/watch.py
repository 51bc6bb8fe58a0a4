"""A watch that goes on: list, follow, resume, and list anew where the server has forgotten.

Expected flow: the list is read page by page and told as ADDED, then SYNCED. The stream is followed
from the list's version; bookmarks move that version on, so that a stream that ends (servers end
them every few minutes) is taken up where it was. Where the server no longer knows that version
(410), the list is read anew, and what is no longer in it is told as DELETED.

Guarantees: no change is lost between two lists but those that cancel out, and each list ends with
SYNCED, so that who knows by other ways of what came and went meanwhile can let go of it; a stream
that is silent for longer than bookmarks come (a half-open connection) is given up and taken up
anew.

Assumptions: resource versions are opaque; nothing is compared but for equality.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from sys import intern

import msgspec

from mpijob.core.job import Key
from mpijob.kube.client import Client, Expired
from mpijob.ports import Change, ChangeType, NotFound, Refused, Unreachable, Unserved

_log = logging.getLogger(__name__)

PAGE_SIZE = 500
#: How long the server is asked to keep a stream open, in seconds, with some spread.
_STREAM_S = (240, 300)
#: Servers send bookmarks once a minute; a silence of more than this is a dead connection.
_IDLE_S = 100.0
_BACKOFF_S = (0.2, 30.0)
#: How many objects of a page are told before others have their turn.
_IN_A_ROW = 20


class _Owner(msgspec.Struct, gc=False):
    uid: str = ""
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta


class _ListMeta(msgspec.Struct, rename={"resource_version": "resourceVersion", "more": "continue"}):
    resource_version: str = ""
    more: str = ""


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] = []


class _Event(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Head(msgspec.Struct, gc=False):
    """A line of the stream, but for what the object itself says; an error's has no metadata."""

    type: str
    object: "_Told"


class _Told(msgspec.Struct, gc=False):
    metadata: _Meta | None = None


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""


class Watch:
    """The changes of one list, for ever."""

    def __init__(
        self,
        client: Client,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        is_patient: bool = True,
        stays: bool = True,
    ) -> None:
        """`query` narrows the list: `labelSelector`, `fieldSelector`.

        Who is not patient hears why the first list cannot be read, rather than wait until it can.
        Of a kind that may not be there to stay, one hears as soon as it is served no more.
        """
        self._client = client
        self._is_patient = is_patient
        self._stays = stays
        self._path = path
        self._query = dict(query or {})
        self._known: dict[Key, _Meta] = {}
        self._version = ""
        self._failures = 0
        self._paused_at = float("-inf")
        self._told_synced = False

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Yield all there is, SYNCED, then every change.

        Raises what the first list raises where it is not patient, and Unserved where its kind goes.
        """
        while True:
            try:
                if not self._version:
                    async for change in self._listed():
                        yield change
                    self._told_synced = True
                    metadata = {"resourceVersion": self._version}
                    yield Change(ChangeType.SYNCED, {"metadata": metadata})
                async for change in self._followed():
                    self._failures = 0
                    yield change
            except (Expired, NotFound, Unreachable, Refused, msgspec.MsgspecError) as trouble:
                if not (self._is_patient or self._told_synced):
                    raise
                if isinstance(trouble, Unserved) and self._told_synced and not self._stays:
                    raise
                self._note(trouble)
            # A stream that merely ends is no trouble; one that always ends at once would be.
            await self._pause()

    def _note(self, trouble: Exception) -> None:
        """Tell what went wrong, and have the list read anew where its version is of no use."""
        match trouble:
            case Expired():
                _log.info("%s: listed anew: %s", self._path, trouble)
                self._version = ""
            case NotFound():
                _log.warning("%s: the server does not know that kind: %s", self._path, trouble)
                self._version = ""
            case Refused():
                # Rights may be on their way (an install that is not complete): told, and tried.
                _log.error("%s: %s", self._path, trouble)
            case _:
                _log.warning("%s: %s", self._path, trouble)

    async def _listed(self) -> AsyncIterator[Change]:
        """Read the list and tell how it differs from what was known."""
        there: set[Key] = set()
        more = ""
        while True:
            query = {**self._query, "limit": str(PAGE_SIZE)}
            if more:
                query["continue"] = more
            page = msgspec.json.decode(
                await self._client.request("GET", self._path, query=query), type=_List
            )
            for index, raw in enumerate(page.items):
                if index % _IN_A_ROW == 0:
                    await asyncio.sleep(0)  # A page is long, and others have their turns too.
                meta = msgspec.json.decode(raw, type=_Object).metadata
                key = Key(meta.namespace, meta.name)
                there.add(key)
                old = self._known.get(key)
                if old is None or old.resource_version != meta.resource_version:
                    # Noted at once: where a later page fails, this one has been told all the same.
                    self._known[key] = _slim(meta, old)
                    yield Change(ChangeType.ADDED, bytes(raw), key, meta.resource_version)
            more = page.metadata.more
            if not more:
                break
        for key in self._known.keys() - there:
            yield _departed(self._known.pop(key), page.metadata.resource_version)
        self._version = page.metadata.resource_version

    async def _followed(self) -> AsyncIterator[Change]:
        """Follow the stream from the last version, until it ends."""
        query = {
            **self._query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(*_STREAM_S)),
        }
        begun: list[bytes] = []
        async with self._client.stream(self._path, query, idle_s=_IDLE_S) as pieces:
            async for piece in pieces:
                *lines, rest = piece.split(b"\n")
                if lines and begun:
                    lines[0] = b"".join((*begun, lines[0]))
                    begun.clear()
                if rest:
                    begun.append(rest)
                for line in lines:
                    change = self._understood(line) if line else None
                    if change is not None:
                        yield change

    def _understood(self, line: bytes) -> Change | None:
        event = _read_head(line)
        if event.type == "ERROR":
            status = msgspec.json.decode(_object_of(line, event.type), type=_Status)
            if status.code == 410:
                raise Expired(status.message)
            raise Unreachable(f"watch {self._path}: {status.message}")
        meta = event.object.metadata
        if meta is None:
            raise msgspec.ValidationError("an object in the stream has no metadata")
        self._version = meta.resource_version
        if event.type == "BOOKMARK":
            return None
        key = Key(meta.namespace, meta.name)
        if event.type == "DELETED":
            self._known.pop(key, None)
        else:
            self._known[key] = _slim(meta, self._known.get(key))
        told = _object_of(line, event.type)
        return Change(ChangeType(event.type), told, key, meta.resource_version)

    async def _pause(self) -> None:
        """Wait, each time longer while nothing is told in between, anew after a good while."""
        now, (least, most) = asyncio.get_running_loop().time(), _BACKOFF_S
        if now - self._paused_at > 2 * most:
            self._failures = 0
        await asyncio.sleep(min(least * 2.0**self._failures, most) * random.uniform(0.8, 1.2))
        self._failures = min(self._failures + 1, 10)
        self._paused_at = asyncio.get_running_loop().time()


def _slim(meta: _Meta, old: _Meta | None) -> _Meta:
    """Return what is remembered of an object, of which there are eleven for a job of 4 workers.

    The words in which they are alike are kept once: that halves it. Of one that was known (`old`)
    mostly nothing has changed but its version.
    """
    is_alike = old is not None and old.labels == meta.labels
    if old is not None and is_alike and old.owner_references == meta.owner_references:
        old.resource_version = meta.resource_version
        return old
    meta.namespace = intern(meta.namespace)
    if meta.labels:
        meta.labels = {intern(name): intern(value) for name, value in meta.labels.items()}
    for owner in meta.owner_references or ():
        owner.uid, owner.kind, owner.name = map(intern, (owner.uid, owner.kind, owner.name))
    return meta


_head_of = msgspec.json.Decoder(_Head).decode
#: Behind what is read of an object's metadata, and half of the object.
_FIELDS = b',"managedFields":['


def _read_head(line: bytes) -> _Head:
    """Return the head of a line; where the server writes it as all do, without reading the rest.

    Go writes fields in the order of its structs (meta/v1, ObjectMeta), managedFields last. No
    string holds those quotes; where they stand elsewhere, what is before them is no whole head.
    """
    end = line.find(_FIELDS)
    if end > 0:
        with suppress(msgspec.DecodeError):
            head = _head_of(line[:end] + b"}}}")
            if head.object.metadata is not None and head.object.metadata.resource_version:
                return head
    return _head_of(line)


_event_of = msgspec.json.Decoder(_Event).decode


def _object_of(line: bytes, type_: str) -> bytes:
    """Return the object of a line; where the server writes it as all do, without reading it anew.

    Go writes fields in the order of its structs (meta/v1, WatchEvent).
    """
    begin = b'{"type":"%s","object":' % type_.encode()
    if line.startswith(begin) and line.endswith(b"}"):
        return line[len(begin) : -1]
    return bytes(_event_of(line).object)


def _departed(meta: _Meta, version: str) -> Change:
    """Return the end of an object that was gone when the list was read anew.

    What the cache files it under is all that is left to tell of it.
    """
    owners = [
        {"uid": o.uid, "kind": o.kind, "name": o.name, "controller": o.controller}
        for o in meta.owner_references or ()
    ]
    told = {
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "resourceVersion": version,
            "labels": meta.labels or {},
            "ownerReferences": owners,
        }
    }
    return Change(ChangeType.DELETED, told)
