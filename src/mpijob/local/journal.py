"""The journal on disk, and this process's replica of it: together they are the API server.

Expected flow: every process of a user keeps a replica of the objects, a `cluster.Store`. To write,
it takes the journal's write lock, catches up with what others have written, lets the store decide,
and appends the changes; then it rings the others' bells. There is no server process.

Guarantees: writes are serial across processes. A write that returned is on the disk's journal; one
that raised has left nothing, there or here. Whatever moment a process is killed at, the journal is
whole. Readers never wait for writers.

Assumptions: the journal is on a file system of this machine, since SQLite's write-ahead log shares
memory between processes. It is synced to the disk at checkpoints: a power failure may take the last
writes along, together with all processes that they told of.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from mpijob.cluster.admission import admit
from mpijob.cluster.store import Change, ChangeType, Snapshot, Store, ref_of, snapshot_of
from mpijob.cluster.times import moment
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.local.bell import Bell
from mpijob.local.database import Database, JournalBroken
from mpijob.local.home import Home

__all__ = ["Feed", "Journal", "JournalBroken"]

Answer = TypeVar("Answer")


class Feed:
    """The changes of one kind that a watcher has not yet seen, and how it is woken for more."""

    def __init__(self, kind: Kind, wake: Callable[[], None]) -> None:
        self.kind = kind
        self.error: JournalBroken | None = None
        self.pending: deque[Change] = deque()
        self.wake = wake


class Journal:
    """One process's way to the journal. Not to be shared between threads."""

    def __init__(self, home: Home, *, now: Callable[[], datetime] | None = None) -> None:
        """Open the journal of `home`, made where it was not there. Raises JournalBroken."""
        self._now = now or _system_time
        self._feeds: list[Feed] = []
        self._database = Database(home.journal)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._database.close)
            # Hung up before the first look, so that no write falls in between.
            self._bell = Bell(home.bells)
            on_failure.callback(self._bell.close)
            self._store = self._loaded()
            on_failure.pop_all()

    @property
    def store(self) -> Store:
        """The replica, to be read only; as new as the last write or `catch_up`."""
        return self._store

    def now(self) -> datetime:
        """Return this journal's time: UTC, whole seconds."""
        return self._now()

    def listen(self) -> None:
        """Catch up, on the running loop, whenever another process has written."""
        self._bell.listen(self._heard)

    def close(self) -> None:
        """Take the bell down and let go of the file."""
        self._bell.close()
        self._database.close()

    def catch_up(self) -> None:
        """Bring the replica up to what is in the journal. Raises JournalBroken."""
        with self._database.reading():
            changes = self._unseen()
        self._tell(changes)

    def write(self, action: Callable[[Store], Answer]) -> Answer:
        """Let `action` write to the newest state, keep what it wrote, and return its answer.

        `action` is to be quick and free of other effects.

        Raises:
            JournalBroken: the write could not be kept, and left no trace.

        """
        with self._database.writing():
            # What others wrote is so, whatever becomes of this write.
            self._tell(self._unseen())
            before = self._store.snapshot()
            try:
                answer = action(self._store)
                changes = list(self._store.changes(before.version))
                self._database.append(changes)
                self._database.commit()
            except BaseException:
                self._store = _restored(before)
                raise
        self._tell(changes)
        if changes:
            self._bell.ring()
        return answer

    def subscribe(self, kind: Kind, wake: Callable[[], None]) -> Feed:
        """Return a feed of the kind's changes from the present replica on."""
        feed = Feed(kind, wake)
        self._feeds.append(feed)
        return feed

    def unsubscribe(self, feed: Feed) -> None:
        """End a feed."""
        self._feeds.remove(feed)

    # How it is done.

    def _heard(self) -> None:
        """Catch up for a bell; where that fails, every watcher learns it."""
        try:
            self.catch_up()
        except JournalBroken as error:
            for feed in self._feeds:
                feed.error = error
                feed.wake()

    def _unseen(self) -> list[Change]:
        """Read what others wrote since, take it into the replica, and return it."""
        base, version = self._database.reach()
        mine = self._store.version
        if version == mine:
            return []
        if mine < base:
            return self._jump(snapshot_of(version, self._database.manifests()))
        return self._follow(self._database.changes(mine))

    def _follow(self, told: Iterable[tuple[int, str, str, Manifest]]) -> list[Change]:
        """Take changes by others in, one by one."""
        old = self._store.snapshot()
        objects = {kind: dict(found) for kind, found in old.objects.items()}
        changes: list[Change] = []
        for version, type_, at, manifest in told:
            ref = ref_of(manifest)
            found, key = objects[ref.kind], (ref.namespace, ref.name)
            previous = found.pop(key, None)
            change = Change(ChangeType(type_), ref, manifest, version, moment(at), previous)
            if change.type is not ChangeType.DELETED:
                found[key] = manifest
            changes.append(change)
        self._store = _restored(Snapshot(changes[-1].version, objects))
        return changes

    def _jump(self, new: Snapshot) -> list[Change]:
        """Take a whole new state in, and return what must have happened in between."""
        old = self._store.snapshot()
        self._store = _restored(new)
        return [*_differences(old, new, self._now())]

    def _loaded(self) -> Store:
        with self._database.reading():
            _, version = self._database.reach()
            return _restored(snapshot_of(version, self._database.manifests()))

    def _tell(self, changes: list[Change]) -> None:
        self._store.trim(self._store.version)
        for feed in self._feeds:
            mine = [change for change in changes if change.ref.kind is feed.kind]
            if mine:
                feed.pending.extend(mine)
                feed.wake()


def _restored(snapshot: Snapshot) -> Store:
    return Store.restored(snapshot, admit=admit)


def _differences(old: Snapshot, new: Snapshot, at: datetime) -> Iterator[Change]:
    """Yield the changes that lead from one state to another, as far as the states tell."""

    def change(type_: ChangeType, manifest: Manifest, previous: Manifest | None) -> Change:
        return Change(type_, ref_of(manifest), manifest, new.version, at, previous)

    for kind, after in new.objects.items():
        before = old.objects.get(kind, {})
        for key, manifest in before.items():
            if key not in after or _uid(after[key]) != _uid(manifest):
                yield change(ChangeType.DELETED, manifest, manifest)
        for key, manifest in after.items():
            seen = before.get(key)
            if seen is None or _uid(seen) != _uid(manifest):
                yield change(ChangeType.ADDED, manifest, None)
            elif seen != manifest:
                yield change(ChangeType.MODIFIED, manifest, seen)


def _uid(manifest: Manifest) -> str:
    uid: str = manifest["metadata"]["uid"]
    return uid


def _system_time() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
