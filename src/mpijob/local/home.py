"""Where the local backend keeps what it must remember: the journal, and jobs' folders and logs."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mpijob.core.job import Key

HOME_VARIABLE = "MPIJOB_HOME"
#: File systems of other machines: SQLite's shared memory does not reach across them.
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "afs", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}
)


class HomeUnusable(Exception):
    """The folder cannot hold our state; the message says which, why, and what to do."""


class Home(Struct, frozen=True):
    """The folder of one user's jobs on this machine. `path` is absolute."""

    path: Path

    @property
    def journal(self) -> Path:
        """The database that stands in for the API server."""
        return self.path / "journal.db"

    @property
    def bells(self) -> Path:
        """The folder of the sockets on which watching processes are told of writes."""
        return self.path / "bells"

    @property
    def mpis(self) -> Path:
        """What this machine's MPIs said of themselves, so that they are not asked each time."""
        return self.path / "mpi.json"

    @property
    def jobs(self) -> Path:
        """The folder of all jobs' folders, and of those of plain pods."""
        return self.path / "jobs"

    def job(self, key: Key, uid: str) -> JobFolder:
        """Return the folder of one job; another job that came under its name has another."""
        return JobFolder(self.jobs / key.namespace / f"{key.name}-{uid[:8]}")

    def group(self, namespace: str, mark: str) -> JobFolder:
        """Return the folder of plain pods that bear that mark; no job has a name like its."""
        return JobFolder(self.jobs / namespace / f"group_{mark}")


class JobFolder(Struct, frozen=True):
    """What is kept of one job beside its objects."""

    path: Path

    @property
    def lock(self) -> Path:
        """The file whose lock says that a supervisor lives, and which tells its pid and start."""
        return self.path / "supervisor"

    @property
    def supervisor_log(self) -> Path:
        """What a detached supervisor itself has said."""
        return self.path / "supervisor.log"

    @property
    def settings(self) -> Path:
        """How the job is to run on this machine."""
        return self.path / "settings.json"

    @property
    def pods(self) -> Path:
        """The pods' own folders, kept until the job is deleted: their logs are in there."""
        return self.path / "pods"

    def pod(self, name: str, uid: str) -> PodFolder:
        """Return the folder of one pod; another pod that came under its name has another."""
        return PodFolder(self.pods / f"{name}-{uid[:8]}")

    def made(self) -> JobFolder:
        """Return this folder, made where it was not there."""
        for folder in (self.path, self.pods):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


class PodFolder(Struct, frozen=True):
    """What is kept of one pod."""

    path: Path

    @property
    def volumes(self) -> Path:
        """Its volumes, gone when it has ended."""
        return self.path / "volumes"

    @property
    def logs(self) -> Path:
        """What its containers wrote, a folder each, in it a file for each time it was started."""
        return self.path / "logs"

    def log(self, container: str, attempt: int) -> Path:
        """Return the log file of a container's start number `attempt`, from 0."""
        return self.logs / container / f"{attempt}.log"

    def termination(self, container: str) -> Path:
        """Return the file in which a container leaves its last words."""
        return self.path / "termination" / container

    def made(self) -> PodFolder:
        """Return this folder, made where it was not there."""
        self.logs.mkdir(mode=0o755, parents=True, exist_ok=True)
        return self

    def shed(self) -> None:
        """Remove all that an ended pod has no more use for: everything but its logs."""
        for entry in self.path.iterdir() if self.path.exists() else ():
            if entry != self.logs and entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)


def home_path(environment: Mapping[str, str], hostname: str) -> Path:
    """Return where the state stands: `$MPIJOB_HOME`, or the XDG state folder's `mpijob`.

    On a file system that several machines share, each machine has a folder of its own in there.
    """
    said = environment.get(HOME_VARIABLE)
    if said:
        path = Path(said).expanduser().absolute()
    else:
        state = environment.get("XDG_STATE_HOME") or "~/.local/state"
        path = Path(state).expanduser().absolute() / "mpijob"
    return path / f"on-{hostname}" if _is_shared(path) else path


def opened(path: Path) -> Home:
    """Return the home at `path`, made where it was not there, readable by its user alone.

    Raises:
        HomeUnusable: it cannot be made, or belongs to somebody else.

    """
    home = Home(path)
    try:
        for folder in (path, home.bells, home.jobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise HomeUnusable(
            f"cannot keep jobs in {path}: {error.strerror}; "
            f"set {HOME_VARIABLE} to a folder of yours"
        ) from error
    if found.st_uid != os.geteuid():
        raise HomeUnusable(
            f"{path} belongs to user {found.st_uid}, and you are {os.geteuid()}: "
            f"set {HOME_VARIABLE} to a folder of yours"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HomeUnusable(f"others may write to {path}: chmod go-w it first")
    return home


def _is_shared(path: Path) -> bool:
    """Say whether `path`, or the nearest folder above it that is there, is on a network."""
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    kinds = {Path(row.split()[1]): row.split()[2] for row in table.splitlines()}
    real = Path(os.path.realpath(path))
    nearest = next((folder for folder in (real, *real.parents) if folder in kinds), None)
    return nearest is not None and kinds[nearest] in _NETWORK_FILE_SYSTEMS
