"""The port `Objects` over the small cluster in memory: an API server that a test holds whole."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from itertools import count
from typing import TypeVar

from mpijob.cluster.store import Store
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.ports import Change, ChangeType, NotFound, translated

T = TypeVar("T")


class MemoryObjects:
    """The objects of `store`. Names and uids are numbered; the clock is the test's.

    Whoever writes to `store` directly calls `tell` afterwards, so that watchers hear of it.
    """

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store = store
        self._now = now
        self._serial = count(1)
        self._news: set[asyncio.Event] = set()

    async def get(self, ref: Ref) -> Manifest:
        """Return the object. Raises NotFound."""
        found = self.store.get(ref)
        if found is None:
            raise NotFound(f"{ref.kind} {ref.namespace}/{ref.name} not found")
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new object and return it as stored. Raises Conflict where the name is taken."""
        number = next(self._serial)
        return self._written(
            lambda: self.store.create(
                manifest, now=self._now(), uid=f"uid-{number}", suffix=f"{number:05}"
            )
        )

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` and return the object as it is now. Raises Conflict, NotFound, Refused."""
        return self._written(
            lambda: self.store.patch(
                ref, fields, now=self._now(), version=version, subresource=subresource
            )
        )

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object; where it is gone already, do nothing. Raises Conflict."""
        if self.store.get(ref) is not None:
            self._written(lambda: self.store.delete(ref, now=self._now(), uid=uid))

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change."""
        news = asyncio.Event()
        self._news.add(news)
        told = self.store.version
        for manifest in self.store.list(kind):
            yield Change(ChangeType.ADDED, manifest)
        yield Change(ChangeType.SYNCED, {})
        try:
            while True:
                for change in self.store.changes(told):
                    told = change.version
                    if change.ref.kind is kind:
                        yield Change(ChangeType(change.type.value), change.manifest)
                if told == self.store.version:
                    news.clear()
                    await news.wait()
        finally:
            self._news.discard(news)

    def tell(self) -> None:
        """Wake every watcher."""
        for news in self._news:
            news.set()

    def _written(self, write: Callable[[], T]) -> T:
        with translated():
            answer = write()
        self.tell()
        return answer
