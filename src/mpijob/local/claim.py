"""Who runs a job: a lock on a file in the job's folder, which the kernel frees at any death."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from msgspec import Struct

from mpijob.cluster.times import moment, stamp

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Owner(Struct, frozen=True):
    """The process that runs a job, or ran it last, and in which boot of the machine."""

    pid: int
    since: datetime
    boot: str
    #: When it last gave a sign of life.
    seen_at: datetime

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has not been restarted since."""
        return self.boot == _boot()


class Claim:
    """The right to run one job, held until it is released or the process is gone."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Not for callers: see `claimed` and `inherited`."""
        self._path = path
        self.descriptor = descriptor

    def sign(self) -> Self:
        """Write down that this process is the one."""
        now = stamp(datetime.now(UTC))
        text = json.dumps({"pid": os.getpid(), "since": now, "boot": _boot()})
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)
        return self

    def refresh(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):
            os.utime(self.descriptor)

    def release(self) -> None:
        """Let go of the job; another may take it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def claimed(path: Path) -> Claim | None:
    """Return the claim of the job whose lock is at `path`; None where a living process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Claim(path, descriptor)


def inherited(path: Path, descriptor: int) -> Claim:
    """Return the claim that a parent process has handed on with an open descriptor."""
    os.set_inheritable(descriptor, False)
    return Claim(path, descriptor)


def owner(path: Path) -> Owner | None:
    """Return who runs the job whose lock is at `path`, or ran it last; None where nobody ever."""
    try:
        told: Mapping[str, str] = json.loads(path.read_text() or "null") or {}
        seen_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)
    except (FileNotFoundError, ValueError):
        return None
    if not told:
        return None
    return Owner(int(told["pid"]), moment(told["since"]), told["boot"], seen_at)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
