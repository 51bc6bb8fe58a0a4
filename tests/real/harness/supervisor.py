"""A process that holds a cluster up: for all tests of a session, or for a person.

Several test processes share one cluster. Each holds a shared lock on one file as long as it needs
it; the supervisor waits for the exclusive one. So the cluster goes when the last of them ends, also
where they are killed, and nobody counts anything.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from harness.cluster import Cluster
from harness.processes import Broken
from harness.shape import Shape, started
from harness.unavailable import Unavailable

#: Building everything on a slow machine takes this long at most, in seconds.
_START_LIMIT_S = 3600
_PACKAGES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a supervised cluster, and the files by which its users find it."""

    folder: Path

    @property
    def description(self) -> Path:
        """What is written once the cluster is up, or cannot be."""
        return self.folder / "cluster.json"

    @property
    def users(self) -> Path:
        """What everybody who uses the cluster holds locked. It outlives the folder."""
        return self.folder.with_name(f"{self.folder.name}.users")

    @property
    def entry(self) -> Path:
        """What is held locked while somebody looks whether the cluster is there."""
        return self.folder.with_name(f"{self.folder.name}.entry")

    @property
    def process(self) -> Path:
        """The supervisor's process number."""
        return self.folder / "supervisor.pid"

    @property
    def log(self) -> Path:
        """What the supervisor says."""
        return self.folder / "supervisor.log"


@contextlib.contextmanager
def shared(folder: Path, shape: Shape) -> Iterator[Cluster]:
    """Use the cluster in `folder`, which the first to come brings up and the last takes down.

    Raises:
        Unavailable: It cannot be had on this machine.
        Broken: It did not come up.
    """
    place = Place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with place.users.open("a") as users:
        with place.entry.open("a") as entry:
            fcntl.flock(entry, fcntl.LOCK_EX)
            # Waits while a supervisor is on its way out.
            fcntl.flock(users, fcntl.LOCK_SH)
            supervisor = supervisor_of(place)
            if supervisor is None:
                launch(place, shape, ["--while-used"])
                supervisor = supervisor_of(place)
        try:
            yield described(place)
        finally:
            _leave(users, supervisor)


def _leave(users: IO[str], supervisor: int | None) -> None:
    """Let go of the cluster; where nobody else uses it, wait until it is gone."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Either others still use it, or the supervisor has the lock and is at work.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
    fcntl.flock(users, fcntl.LOCK_UN)
    if supervisor is not None:
        _until_ended(supervisor, 180)


def launch(place: Place, shape: Shape, options: list[str]) -> None:
    """Start a supervisor and wait until it has said how it went."""
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(mode=0o700, parents=True)
    words = [sys.executable, "-m", "harness", "serve", str(place.folder), *shape.words, *options]
    path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
    # Not by `subprocess`, whose objects want to see their process end: this one may outlive us.
    number = os.posix_spawn(
        sys.executable,
        words,
        {**os.environ, "PYTHONPATH": path},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(place.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    handle = os.pidfd_open(number)
    for _ in range(_START_LIMIT_S * 20):
        if place.description.exists() or _has_ended(handle, 0.05):
            break
    os.close(handle)
    if not place.description.exists():
        raise Broken(f"no cluster came up:\n{place.log.read_text(errors='replace')[-4000:]}")


def described(place: Place) -> Cluster:
    """Return the cluster at `place`. Raises what kept it from coming up."""
    fields = json.loads(place.description.read_text())
    if "unavailable" in fields:
        raise Unavailable(fields["unavailable"])
    if "broken" in fields:
        raise Broken(fields["broken"])
    return Cluster.from_json(place.description.read_text())


def supervisor_of(place: Place) -> int | None:
    """Return a handle of the supervisor at `place`, or None where there is none."""
    try:
        number = int(place.process.read_text())
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        if str(place.folder).encode() not in words:
            return None
        return os.pidfd_open(number)
    except (OSError, ValueError):
        return None


def take_down(place: Place) -> bool:
    """End the supervisor at `place` and remove its folder; say whether there was one."""
    handle = supervisor_of(place)
    if handle is not None:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        _until_ended(handle, 120)
    there = place.folder.exists()
    shutil.rmtree(place.folder, ignore_errors=True)
    for file in (place.users, place.entry):
        file.unlink(missing_ok=True)
    return there or handle is not None


def _until_ended(handle: int, limit_s: float) -> None:
    has_ended = _has_ended(handle, limit_s)
    os.close(handle)
    if not has_ended:
        raise Broken(f"the supervisor is still there after {limit_s:.0f} s")


def _has_ended(handle: int, limit_s: float) -> bool:
    """Wait for a process to end, and say whether it did."""
    if not select.select([handle], [], [], limit_s)[0]:
        return False
    # Where it is a child of ours, nobody else would bury it.
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, handle, os.WEXITED)
    return True


def serve(folder: Path, shape: Shape, *, while_used: bool) -> None:
    """Hold a cluster up until nobody uses it, or until told to end."""
    place = Place(folder)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    place.process.write_text(str(os.getpid()))
    try:
        with started(folder, shape) as cluster:
            _publish(place, cluster.as_json())
            _wait(place, while_used=while_used)
            place.description.unlink(missing_ok=True)
    except (Unavailable, Broken) as error:
        kind = "unavailable" if isinstance(error, Unavailable) else "broken"
        _publish(place, json.dumps({kind: str(error)}))
        _wait(place, while_used=while_used)
        place.description.unlink(missing_ok=True)


def _wait(place: Place, *, while_used: bool) -> None:
    with contextlib.suppress(_Ended):
        if while_used:
            with place.users.open("a") as users:
                fcntl.flock(users, fcntl.LOCK_EX)
                # Kept until this process ends: who comes meanwhile waits for that.
                os.dup(users.fileno())
        else:
            while True:
                signal.pause()


class _Ended(BaseException):
    """Somebody told the supervisor to end."""


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise _Ended


def _publish(place: Place, text: str) -> None:
    """Write the description so that nobody sees half of it. It holds a token."""
    draft = place.description.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(place.description)
