"""The journal's file: a SQLite database with the objects as they are, and the changes to them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from mpijob.cluster.store import Change, ChangeType
from mpijob.cluster.times import stamp
from mpijob.core.job import Manifest
from mpijob.ports import Unreachable

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


class Database:
    """An open journal file. Not to be shared between threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where it was not there. Raises JournalBroken."""
        self._path = path
        self._connection = _connection(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the journal throughout the block. Raises JournalBroken."""
        with self._transaction("BEGIN"):
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer throughout the block, which ends with `commit` or changes nothing.

        Raises JournalBroken.
        """
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    def commit(self) -> None:
        """Keep what was written in this transaction."""
        self._connection.execute("COMMIT")

    def reach(self) -> tuple[int, int]:
        """Return the version after which changes are kept, and the latest one."""
        row = self._connection.execute("SELECT base, version FROM reach").fetchone()
        return int(row[0]), int(row[1])

    def manifests(self) -> Iterator[Manifest]:
        """Yield all objects as they are."""
        rows = self._connection.execute("SELECT manifest FROM objects")
        return (msgspec.json.decode(encoded) for (encoded,) in rows)

    def changes(self, after: int) -> Iterator[tuple[int, str, str, Manifest]]:
        """Yield the changes after a version, in order: version, type, time, and the object."""
        rows = self._connection.execute(
            "SELECT version, type, at, manifest FROM history WHERE version > ? ORDER BY version",
            (after,),
        )
        return ((version, *told, msgspec.json.decode(text)) for version, *told, text in rows)

    def append(self, changes: Sequence[Change]) -> None:
        """Write changes down, and what the objects are after them."""
        if not changes:
            return
        run = self._connection.execute
        run("UPDATE reach SET version = ?", (changes[-1].version,))
        for change in changes:
            encoded = msgspec.json.encode(change.manifest)
            row = (change.version, change.type.value, stamp(change.at), encoded)
            run("INSERT INTO history VALUES (?, ?, ?, ?)", row)
            place = (change.ref.kind.value, change.ref.namespace, change.ref.name)
            if change.type is ChangeType.DELETED:
                run("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", place)
            else:
                run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*place, encoded))
        # Twice the length before it is cut: so most writes delete nothing.
        base, version = self.reach()
        if version - base >= 2 * HISTORY_LENGTH:
            run("DELETE FROM history WHERE version <= ?", (version - HISTORY_LENGTH,))
            run("UPDATE reach SET base = ?", (version - HISTORY_LENGTH,))

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        try:
            self._connection.execute(begin)
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise JournalBroken(_explained(error, self._path)) from error


def _connection(path: Path) -> sqlite3.Connection:
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
