"""Which processes belong to a job, and how to end them all: by descent, and by a mark.

Every process of a pod carries `MPIJOB_RUNTIME=<token>` and `MPIJOB_POD_UID=<uid>` in its
environment. Tokens are random, so a match is never another's process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

#: Carries the token of the runtime that a process belongs to.
RUNTIME_MARK = "MPIJOB_RUNTIME"
#: Carries the uid of the pod that a process belongs to.
POD_MARK = "MPIJOB_POD_UID"

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05


def parents() -> dict[int, int]:
    """Return the parent of every living process; zombies are left out."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The command's name stands in parentheses and may itself contain some.
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state not in b"ZX":
                found[int(name)] = int(parent)
    return found


def descendants(ancestor: int) -> set[int]:
    """Return the living processes below `ancestor`, without itself."""
    children: dict[int, list[int]] = {}
    for process, parent in parents().items():
        children.setdefault(parent, []).append(process)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


def carries(process: int, *marks: str) -> bool:
    """Whether a process was started with all of `marks` ("NAME=value") in its environment."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return False
    return all(mark.encode() in entries for mark in marks)


def marked(*marks: str) -> set[int]:
    """Return the processes that carry all of `marks`, as far as this user may look into them."""
    own = os.getpid()
    return {
        int(name)
        for name in os.listdir("/proc")
        if name.isdigit() and int(name) != own and carries(int(name), *marks)
    }


def kill_marked(process: int, *marks: str) -> None:
    """Kill `process` if it still is the one that carries `marks`; its number may be reused."""
    try:
        handle = os.pidfd_open(process)
    except OSError as refused:
        if refused.errno == errno.ENOSYS and carries(process, *marks):
            _kill(process)
        return
    try:
        if carries(process, *marks):
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def end_marked(*marks: str) -> int:
    """Kill every process that carries `marks` until none is left; return how many there were."""
    ended: set[int] = set()
    pause_s = _FIRST_PAUSE_S
    while found := marked(*marks):
        ended |= found
        for process in found:
            kill_marked(process, *marks)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return len(ended)


def end_descendants(reap: Callable[[], object], *, spared: Container[int] = frozenset()) -> None:
    """Kill every process below this one until none is left; a subreaper thus misses none.

    `reap` is called between two looks and collects the children that have ended. What is
    `spared` lives on, but not what is below it.
    """
    pause_s = _FIRST_PAUSE_S
    while found := [each for each in descendants(os.getpid()) if each not in spared]:
        for process in found:
            _kill(process)
        reap()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    reap()


def end_below(top: int) -> None:
    """Kill `top`, a child of this process, and all that is below it."""
    for process in [top, *descendants(top)]:
        _kill(process)


def _kill(process: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)
