"""Control groups of a node: one of its own in each of the machine's hierarchies."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.processes import Broken

_ROOT = Path("/sys/fs/cgroup")
#: Where a node's own processes are in the second version.
_FIRST = "init"
#: What a new group of processors has none of until it is told, in the first version.
_INHERITED = ("cpuset.mems", "cpuset.cpus")


def make(name: str) -> None:
    """Make the groups of that name."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in _INHERITED:
            if (hierarchy / setting).exists() and (group / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())


def joining(name: str) -> list[str]:
    """Return the words before those of a program that make it join the groups of that name."""
    joins = 'for file in $0; do echo $$ > "$file"; done; exec "$@"'
    groups = [hierarchy / name for hierarchy in _hierarchies()]
    inner = [group / _FIRST if (group / _FIRST).is_dir() else group for group in groups]
    return ["/bin/sh", "-c", joins, " ".join(str(group / "cgroup.procs") for group in inner)]


def settle(name: str) -> None:
    """Let groups be made below those of that name, in which a first process is by now.

    In the second version a group with groups below it that are limited has no processes itself.
    """
    if not (_ROOT / "cgroup.controllers").exists():
        return
    group = _ROOT / name
    (group / _FIRST).mkdir()
    for number in (group / "cgroup.procs").read_text().split():
        (group / _FIRST / "cgroup.procs").write_text(number)
    offered = (group / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{controller}" for controller in offered)
    (group / "cgroup.subtree_control").write_text(wanted)


def remove(name: str) -> None:
    """Remove the groups of that name and all below them. Nothing runs in them any more.

    What has just ended still counts for a moment.
    """
    moment = threading.Event()
    left: list[Path] = []
    for _ in range(100):
        left = [hierarchy / name for hierarchy in _hierarchies() if not _removed(hierarchy / name)]
        if not left or moment.wait(0.05):
            return
    raise Broken(f"control groups are still in use: {', '.join(map(str, left))}")


def remove_stale(prefix: str, is_used: Callable[[str], bool]) -> None:
    """Remove groups that a cluster left when it was killed; those of others are left alone."""
    for hierarchy in _hierarchies():
        for group in hierarchy.glob(f"{prefix}*"):
            if not is_used(group.name):
                _removed(group)


def named(pattern: str) -> Iterator[Path]:
    """Yield the groups whose names are like a pattern of the shell."""
    for hierarchy in _hierarchies():
        yield from hierarchy.glob(pattern)


def processes(name: str) -> Iterator[int]:
    """Yield the processes of a node itself, not those of its pods."""
    hierarchy = next(_hierarchies())
    group = hierarchy / name
    inner = group / _FIRST if (group / _FIRST).is_dir() else group
    yield from map(int, (inner / "cgroup.procs").read_text().split())


def freeze(name: str, *, frozen: bool) -> None:
    """Stop all that runs in the groups of that name, its pods too, or let it go on."""
    if (_ROOT / "cgroup.controllers").exists():
        (_ROOT / name / "cgroup.freeze").write_text(str(int(frozen)))
    else:
        state = _ROOT / "freezer" / name / "freezer.state"
        state.write_text("FROZEN" if frozen else "THAWED")


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not group.exists()


def _hierarchies() -> Iterator[Path]:
    """Yield the machine's hierarchies: one, or in the first version one for each controller."""
    if (_ROOT / "cgroup.controllers").exists():
        yield _ROOT
        return
    for path in sorted(_ROOT.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield path
