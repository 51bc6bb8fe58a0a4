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
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from mpijob.cluster.admission import admit
from mpijob.cluster.store import Change, ChangeType, Snapshot, Store, ref_of, snapshot_of
from mpijob.cluster.times import moment, stamp
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.local.bell import Bell
from mpijob.local.home import Home
from mpijob.ports import Unreachable

Answer = TypeVar("Answer")

#: How many changes are kept for readers to catch up with. One that is further behind reads all.
HISTORY_LENGTH = 4096
#: How long, in seconds, a writer waits for another process to finish its write.
PATIENCE_S = 20.0
_LAYOUT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, manifest BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    version INTEGER PRIMARY KEY, type TEXT NOT NULL, at TEXT NOT NULL, manifest BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS reach (
    one INTEGER PRIMARY KEY CHECK (one = 1), base INTEGER NOT NULL, version INTEGER NOT NULL
);
INSERT OR IGNORE INTO reach VALUES (1, 0, 0);
"""


class JournalBroken(Unreachable):
    """The journal could not be read or written; the message says why, and what to do."""


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
        self._path = home.journal
        self._now = now or _system_time
        self._feeds: list[Feed] = []
        self._database = _database(self._path)
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
        with self._guarded(), self._transaction("BEGIN"):
            changes = self._unseen()
        self._tell(changes)

    def write(self, action: Callable[[Store], Answer]) -> Answer:
        """Let `action` write to the newest state, keep what it wrote, and return its answer.

        `action` is to be quick and free of other effects.

        Raises:
            JournalBroken: the write could not be kept, and left no trace.

        """
        with self._guarded(), self._transaction("BEGIN IMMEDIATE"):
            # What others wrote is so, whatever becomes of this write.
            self._tell(self._unseen())
            before = self._store.snapshot()
            try:
                answer = action(self._store)
                changes = list(self._store.changes(before.version))
                self._append(changes)
                self._database.execute("COMMIT")
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

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what SQLite says into what the person needs to know."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalBroken(_explained(error, self._path)) from error

    def _heard(self) -> None:
        """Catch up for a bell; where that fails, every watcher learns it."""
        try:
            self.catch_up()
        except JournalBroken as error:
            for feed in self._feeds:
                feed.error = error
                feed.wake()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._database.execute(begin)
        try:
            yield
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _unseen(self) -> list[Change]:
        """Read what others wrote since, take it into the replica, and return it."""
        row = self._database.execute("SELECT base, version FROM reach").fetchone()
        base, version = row
        mine = self._store.version
        if version == mine:
            return []
        if mine < base:
            return self._jump(self._read_all(version))
        rows = self._database.execute(
            "SELECT version, type, at, manifest FROM history WHERE version > ? ORDER BY version",
            (mine,),
        )
        return self._follow(rows)

    def _follow(self, rows: Iterator[tuple[int, str, str, bytes]]) -> list[Change]:
        old = self._store.snapshot()
        objects = {kind: dict(found) for kind, found in old.objects.items()}
        changes: list[Change] = []
        for version, type_, at, encoded in rows:
            manifest = msgspec.json.decode(encoded)
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
        with self._guarded(), self._transaction("BEGIN"):
            version = self._database.execute("SELECT version FROM reach").fetchone()[0]
            return _restored(self._read_all(version))

    def _read_all(self, version: int) -> Snapshot:
        rows = self._database.execute("SELECT manifest FROM objects")
        return snapshot_of(version, (msgspec.json.decode(encoded) for (encoded,) in rows))

    def _append(self, changes: list[Change]) -> None:
        if not changes:
            return
        run = self._database.execute
        for change in changes:
            encoded = msgspec.json.encode(change.manifest)
            run(
                "INSERT INTO history VALUES (?, ?, ?, ?)",
                (change.version, change.type.value, stamp(change.at), encoded),
            )
            place = (change.ref.kind.value, change.ref.namespace, change.ref.name)
            if change.type is ChangeType.DELETED:
                run("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", place)
            else:
                run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*place, encoded))
        version = changes[-1].version
        run("UPDATE reach SET version = ?", (version,))
        # Twice the length before it is cut: so most writes delete nothing.
        base = run("SELECT base FROM reach").fetchone()[0]
        if version - base >= 2 * HISTORY_LENGTH:
            run("DELETE FROM history WHERE version <= ?", (version - HISTORY_LENGTH,))
            run("UPDATE reach SET base = ?", (version - HISTORY_LENGTH,))

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


def _database(path: Path) -> sqlite3.Connection:
    """Return an open database with our tables. Raises JournalBroken."""
    try:
        # Made by us, so that nobody else can read it for even a moment: it holds Secrets.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise JournalBroken(f"cannot open the journal {path}: {error.strerror}") from error
    database = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
    try:
        _prepare(database, path)
    except sqlite3.Error as error:
        database.close()
        raise JournalBroken(_explained(error, path)) from error
    except JournalBroken:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    layout = database.execute("PRAGMA user_version").fetchone()[0]
    if layout == 0:
        database.execute("PRAGMA journal_mode = WAL")
        tables = f"{_TABLES} PRAGMA user_version = {_LAYOUT};"
        database.executescript(f"BEGIN IMMEDIATE; {tables} COMMIT")
    elif layout != _LAYOUT:
        raise JournalBroken(
            f"{path} was written by a newer mpijob (layout {layout}): use that one, or "
            "set MPIJOB_HOME to another folder"
        )
    database.execute("PRAGMA synchronous = NORMAL")


def _explained(error: sqlite3.Error, path: Path) -> str:
    """Return what went wrong with the journal and what the person can do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return f"disk full: {path.parent} has no room for the journal; nothing recorded is lost"
        case sqlite3.SQLITE_BUSY:
            return (
                f"another mpijob has been writing to {path} for {PATIENCE_S:.0f} s; is it stopped?"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"{path} is damaged ({error}): move it away, and jobs start from nothing"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"cannot write to {path}: {error}"
        case _:
            return f"the journal {path} could not be used: {error}; nothing recorded is lost"
