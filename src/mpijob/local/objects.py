"""The port `Objects` over the journal: what the engine and the commands read and write through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from random import SystemRandom
from typing import TypeVar

from mpijob.cluster import dice, garbage
from mpijob.cluster.store import Store
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local.journal import Journal
from mpijob.ports import Change, ChangeType, NotFound, translated

Answer = TypeVar("Answer")

#: The system's own randomness, for uids and for the endings of generated names.
DICE = SystemRandom()


class LocalObjects:
    """The objects of this machine's home. SQLite's answers are quick, so no method really waits."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def journal(self) -> Journal:
        """The journal behind the objects."""
        return self._journal

    async def get(self, ref: Ref) -> Manifest:
        """Return the object as the journal has it now. Raises NotFound, Unreachable."""
        self._journal.catch_up()
        found = self._journal.store.get(ref)
        if found is None:
            raise NotFound(f"{ref.kind} {ref.namespace}/{ref.name} not found")
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new object and return it as stored. Raises Conflict where the name is taken."""
        uid, suffix, now = dice.uid(DICE), dice.suffix(DICE), self._journal.now()
        return self.written(lambda store: store.create(manifest, now=now, uid=uid, suffix=suffix))

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` (JSON merge patch) and return the object as it is now.

        Raises Conflict where `version` is given and not the latest, NotFound where it is gone.
        """
        now = self._journal.now()
        return self.written(
            lambda store: store.patch(
                ref, fields, now=now, version=version, subresource=subresource
            )
        )

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object, in the background with all it owns; a pod ends gracefully first.

        Where it is gone already, do nothing; where the name now belongs to another uid than
        `uid`, raise Conflict.
        """
        now = self._journal.now()

        def action(store: Store) -> None:
            if store.get(ref) is not None:
                store.delete(ref, now=now, uid=uid)
                garbage.collect(store, now=now)

        self.written(action)

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change. Ends only by raising."""
        more = asyncio.Event()
        self._journal.catch_up()
        present = self._journal.store.list(kind)
        feed = self._journal.subscribe(kind, more.set)
        try:
            for manifest in present:
                yield Change(ChangeType.ADDED, manifest)
            yield Change(ChangeType.SYNCED, {})
            while True:
                while feed.pending:
                    change = feed.pending.popleft()
                    yield Change(ChangeType(change.type.value), change.manifest)
                if feed.error is not None:
                    raise feed.error
                more.clear()
                await more.wait()
        finally:
            self._journal.unsubscribe(feed)

    def written(self, action: Callable[[Store], Answer]) -> Answer:
        """Write to the journal, with the cluster's refusals translated into the port's."""
        with translated():
            return self._journal.write(action)
