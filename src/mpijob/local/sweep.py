"""What a crash left behind is ended and removed by the next command: processes, then folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

from mpijob.local import processes


def sweep(home: Path) -> int:
    """End what runtimes that are dead have left below `home`; return how many processes that was.

    A runtime holds a lock on its record as long as it lives, so one that works is never touched.
    Nothing is ended but processes that carry a dead runtime's random token, and nothing removed
    but the folders which that runtime had made for itself.
    """
    ended = 0
    for record in sorted(home.glob("runtimes/*.json")):
        with contextlib.suppress(OSError):
            ended += _sweep_one(record)
    return ended


def _sweep_one(record: Path) -> int:
    with record.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        ended = processes.end_marked(f"{processes.RUNTIME_MARK}={record.stem}")
        for folder in _folders(file.read()):
            if _is_ours(folder):
                shutil.rmtree(folder, ignore_errors=True)
        record.unlink(missing_ok=True)
    return ended


def _folders(text: bytes) -> list[str]:
    """Return the folders that a record names; a torn record names none."""
    try:
        named = json.loads(text)["folders"]
    except (ValueError, KeyError, TypeError):
        return []
    return [folder for folder in named if isinstance(folder, str)]


def _is_ours(folder: str) -> bool:
    """Whether `folder` is one that a runtime makes: by its name, and owned by this user."""
    name = os.path.basename(folder)
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return name.startswith("mpijob-") and status.st_uid == os.geteuid()
