"""The port `Objects` as a server tells it that is asked for objects with certain labels alone."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from mpijob.api.selector import Selector, parsed
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.ports import Change, ChangeType
from mpijob.testing.memory import MemoryObjects


class SelectedObjects:
    """The objects of a small cluster; watches tell of those that a kind's selector matches.

    Guarantees: an object that comes to match is told as ADDED, one that no longer does as DELETED,
    as an API server does. Reads and writes by name reach every object.
    """

    def __init__(self, objects: MemoryObjects, selectors: Mapping[Kind, str]) -> None:
        self._objects = objects
        self._selectors = {kind: parsed(text) for kind, text in selectors.items()}

    async def get(self, ref: Ref) -> Manifest:
        """Return the object. Raises NotFound."""
        return await self._objects.get(ref)

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new object. Raises Conflict where the name is taken."""
        return await self._objects.create(manifest)

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` into an object. Raises Conflict, NotFound, Refused."""
        return await self._objects.patch(ref, fields, version=version, subresource=subresource)

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object. Raises Conflict."""
        await self._objects.delete(ref, uid=uid)

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield what matches, then SYNCED, then every change as it looks from there."""
        selector = self._selectors.get(kind, Selector())
        told: set[str] = set()
        async for change in self._objects.watch(kind):
            seen = change if change.type is ChangeType.SYNCED else _seen(change, selector, told)
            if seen is not None:
                yield seen

    async def strays(self, kind: Kind) -> AsyncIterator[Manifest]:
        """Yield the objects that `watch` passes over."""
        selector = self._selectors.get(kind, Selector())
        for manifest in self._objects.store.list(kind):
            if not selector.matches(_labels(manifest)):
                yield manifest


def _seen(change: Change, selector: Selector, told: set[str]) -> Change | None:
    """Return a change as it looks to a watcher who was `told` of the objects of those uids."""
    manifest = change.manifest
    if isinstance(manifest, bytes):
        raise TypeError("in a small cluster, objects are mappings")
    uid = manifest["metadata"]["uid"]
    matches = change.type is not ChangeType.DELETED and selector.matches(_labels(manifest))
    was_told = uid in told
    (told.add if matches else told.discard)(uid)
    if matches:
        return Change(ChangeType.MODIFIED if was_told else ChangeType.ADDED, manifest)
    return Change(ChangeType.DELETED, manifest) if was_told else None


def _labels(manifest: Manifest) -> Mapping[str, Any]:
    return manifest["metadata"].get("labels") or {}
