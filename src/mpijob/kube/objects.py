"""The port `Objects` over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

import msgspec

from mpijob.core import names
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.kube.client import MERGE_PATCH, Client
from mpijob.kube.resources import Paths
from mpijob.kube.watch import PAGE_SIZE, Watch
from mpijob.ports import Change, NotFound, Unreachable


class _Item(msgspec.Struct):
    metadata: dict[str, Any]


class _Page(msgspec.Struct):
    metadata: dict[str, Any]
    items: list[_Item] = []


_Shape = TypeVar("_Shape")

#: What children of other operators bear, and lack.
_STRAY = f"app,!{names.CHILD_LABEL}"
_STRAYS = {Kind.POD: f"{names.V1_JOB_NAME_LABEL},!{names.OPERATOR_NAME_LABEL}"}

_encode = msgspec.json.Encoder().encode


class KubeObjects:
    """The objects of a real cluster.

    Answers are handed on as the bytes that came: the engine reads of them what it needs.
    """

    def __init__(
        self,
        client: Client,
        paths: Paths,
        selectors: Mapping[Kind, str] | None = None,
        *,
        names: Mapping[Kind, str] | None = None,
        is_patient: bool = True,
    ) -> None:
        """`selectors` narrows the watches of some kinds, by label; `names`, to one object.

        A watch of who is not patient raises where its first list cannot be read.
        """
        self._client = client
        self._paths = paths
        self._selectors = dict(selectors or {})
        self._names = dict(names or {})
        self._is_patient = is_patient

    async def get(self, ref: Ref) -> Manifest:
        """Return the object as the server itself has it. Raises NotFound, Unreachable."""
        path = self._paths.object(ref)
        return _decoded(await self._client.request("GET", path), dict[str, Any], path)

    async def create(self, manifest: Manifest) -> bytes:
        """Store a new object and return it as stored. Raises Conflict where the name is taken."""
        path = self._paths.new(manifest)
        return await self._client.request("POST", path, body=_encode(manifest))

    async def made(self, manifest: Manifest) -> Manifest:
        """Do what `create` does, and return what was stored, read."""
        stored = await self.create(manifest)
        return _decoded(stored, dict[str, Any], self._paths.new(manifest))

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest | bytes:
        """Merge `fields` (JSON merge patch) and return the object as it is now.

        Raises Conflict where `version` is given and not the latest, NotFound where it is gone.
        """
        body = dict(fields)
        if version:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": version}
        path = self._paths.object(ref, subresource)
        return await self._client.request(
            "PATCH", path, body=_encode(body), content_type=MERGE_PATCH
        )

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object, in the background with all it owns.

        Where it is gone already, do nothing; where the name now belongs to another uid than
        `uid`, raise Conflict.
        """
        body: dict[str, object] = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._client.request("DELETE", self._paths.object(ref), body=_encode(body))
        except NotFound:
            return

    async def strays(self, kind: Kind) -> AsyncIterator[Manifest]:
        """Yield the metadata of a kind's objects that lack the label by which it is watched.

        Of a kind that is not watched by label there are none. mpi-operator's children all bear
        the label `app`, its pods of v1 one of that version: what has none is not asked for, and of
        what comes only the metadata is read, and that of one page at a time.

        Raises Unreachable, Refused.
        """
        if kind not in self._selectors:
            return
        path, more = self._paths.collection(kind), ""
        query = {"labelSelector": _STRAYS.get(kind, _STRAY), "limit": str(PAGE_SIZE)}
        while True:
            answer = await self._client.request(
                "GET", path, query=query | ({"continue": more} if more else {})
            )
            page = _decoded(answer, _Page, path)
            for item in page.items:
                yield {"metadata": item.metadata}
            more = page.metadata.get("continue") or ""
            if not more:
                return

    def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change. Ends only by raising.

        Raises Unserved where MPIJobs are no longer served in the version that is asked for.
        """
        query = {}
        if selector := self._selectors.get(kind, ""):
            query["labelSelector"] = selector
        if name := self._names.get(kind, ""):
            query["fieldSelector"] = f"metadata.name={name}"
        path = self._paths.collection(kind)
        stays = kind is not Kind.MPI_JOB
        return Watch(self._client, path, query, is_patient=self._is_patient, stays=stays).changes()

    async def mappings(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield what `watch` does, read: as mappings that say of what kind they are."""
        # Lists leave out what kind their items are.
        about = {"apiVersion": self._paths.api_version(kind), "kind": kind.value}
        async for change in self.watch(kind):
            told = change.manifest
            if isinstance(told, bytes):
                told = msgspec.json.decode(told, type=dict[str, Any])
            yield Change(change.type, {**about, **told} if told else told)


def _decoded(answer: bytes, shape: type[_Shape], path: str) -> _Shape:
    """Return what an answer says. Raises Unreachable where it is none of an API server."""
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.MsgspecError as odd:
        raise Unreachable(f"{path}: this is no answer of an API server: {odd}") from odd
