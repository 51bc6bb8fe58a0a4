"""What a cluster has left on the machine: nothing, once it is gone."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from harness import cgroups

_PAUSE_S = 0.2


def leftovers(folder: Path) -> list[str]:
    """Return what is left of the clusters that were brought up below `folder`, told one by one.

    Processes are known by the folder, which they are started with; interfaces and control groups by
    the names that the clusters have written down there.
    """
    return [*_processes(str(folder)), *_mounts(str(folder)), *_networks(folder)]


def lasting_leftovers(folder: Path, limit_s: float = 30) -> list[str]:
    """Return what is still left after a while: what was killed takes a moment to go."""
    moment = threading.Event()
    for _ in range(int(limit_s / _PAUSE_S)):
        if not leftovers(folder):
            return []
        moment.wait(_PAUSE_S)
    return leftovers(folder)


def _processes(folder: str) -> Iterator[str]:
    ours = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) in ours:
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            # It has ended meanwhile.
            continue
        if folder in words:
            yield f"process {entry.name}: {words[:200]}"


def _mounts(folder: str) -> Iterator[str]:
    for row in Path("/proc/self/mountinfo").read_text().splitlines():
        if folder in row:
            yield f"mount: {row}"


def _networks(folder: Path) -> Iterator[str]:
    for file in folder.glob("*/network.json"):
        name = json.loads(file.read_text())["interface"]
        if Path("/sys/class/net", name).exists():
            yield f"interface {name}"
        yield from (f"control group {group}" for group in cgroups.named(f"{name}-*"))
