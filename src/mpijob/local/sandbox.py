"""Namespaces for a pod: how its first process gets its own host name, mounts and process ids."""

from __future__ import annotations

import contextlib
import os
import signal

from mpijob.local import kernel
from mpijob.local.mounts import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mpijob.local.messages import MountMessage, PodMessage

_FLAGS = kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWPID
_SHM = "/dev/shm"


def spawn(first: Callable[[], None]) -> int:
    """Return the process id of a new pid namespace's first process, which runs `first`.

    It is a child of the caller, which must be a subreaper, and dies with it: the kernel then
    kills everything in the namespace. The process in between, which could not enter the
    namespace itself, is gone when this returns.

    Raises:
        OSError: namespaces are not allowed here.

    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    # The kernel would kill the first process at the death of the parent it has at first. So it
    # waits on this pipe until that one is gone and the caller is its parent.
    waiting, holding = os.pipe2(os.O_CLOEXEC)
    between = os.fork()
    if between == 0:
        for descriptor in (reading, holding):
            os.close(descriptor)
        _enter_and_fork(writing, waiting, first)
    for descriptor in (writing, waiting):
        os.close(descriptor)
    with open(reading, encoding="utf-8") as answer:
        # The first process holds the other end too, until it is let go: read one line, no more.
        said = answer.readline().split(maxsplit=1)
    os.waitpid(between, 0)
    os.close(holding)
    if len(said) != 2 or said[0] != "pid":
        raise OSError(int(said[0]) if said else 1, said[1].strip() if said[1:] else "fork failed")
    return int(said[1])


def _enter_and_fork(writing: int, waiting: int, first: Callable[[], None]) -> None:
    """In the child between: take new namespaces, fork the first process, tell its id, end."""
    try:
        _enter()
        process = os.fork()
        if process == 0:
            os.close(writing)
            _run_first(waiting, first)
        os.write(writing, f"pid {process}\n".encode())
    except OSError as refused:
        os.write(writing, f"{refused.errno} {refused.filename}: {refused.strerror}\n".encode())
    finally:
        os._exit(0)


def _run_first(waiting: int, first: Callable[[], None]) -> None:
    try:
        os.read(waiting, 1)
        os.close(waiting)
        kernel.die_with_parent(signal.SIGKILL)
        first()
    finally:
        os._exit(70)


def _enter() -> None:
    """Take new namespaces; as an ordinary user inside a user namespace where one stays oneself."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            kernel.unshare(_FLAGS)
        except PermissionError:
            pass  # Root of a container without the privilege: as an ordinary user would.
        else:
            return
    kernel.unshare(_FLAGS | kernel.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def furnish(pod: PodMessage, keep: list[str]) -> None:
    """Make the namespaces this process has just entered the pod's: host name, mounts, hosts file.

    Raises:
        OSError: a mount could not be made; its file name says which.

    """
    kernel.set_hostname(pod["hostname"])
    folder = f"{pod['folder']}/sandbox"
    os.makedirs(folder, exist_ok=True)
    # In memory, so that it goes with the namespace: removing folders that were mounted on is slow.
    kernel.mount("tmpfs", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    view = View(folder, [*keep, *pod["keep"]])
    for mount in [*_own_mounts(pod, folder), *sorted(pod["mounts"], key=lambda m: m["target"])]:
        view.add(mount)


def _own_mounts(pod: PodMessage, folder: str) -> list[MountMessage]:
    """Return what every pod has of its own: shared memory, its name, its hosts file."""
    mounts: list[MountMessage] = []
    if os.path.isdir(_SHM) and not any(mount["target"] == _SHM for mount in pod["mounts"]):
        mounts.append(
            {
                "target": _SHM,
                "source": "",
                "tmpfs": True,
                "read_only": False,
                "private": True,
                "size_bytes": pod["shm_size_bytes"],
            }
        )
    texts = {"/etc/hostname": pod["hostname"] + "\n", "/etc/hosts": pod["hosts"]}
    for target, text in texts.items():
        # A machine that does without such a file does so in its pods.
        if not text or not os.path.isfile(target):
            continue
        source = f"{folder}/{os.path.basename(target)}"
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        mounts.append(
            {
                "target": target,
                "source": source,
                "tmpfs": False,
                "read_only": False,
                "private": True,
                "size_bytes": None,
            }
        )
    return mounts


def refusal() -> str:
    """Return why pods cannot have namespaces of their own here, or "" where they can.

    Really tries it, in a child. The caller must be a subreaper.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)

    def trial() -> None:
        try:
            kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
            kernel.mount("proc", "/proc", "proc")
            kernel.set_hostname("trial")
            os.write(writing, b"fine")
        except OSError as refused:
            os.write(writing, f"{refused.filename}: {refused.strerror}".encode())
        os._exit(0)

    try:
        process = spawn(trial)
    except OSError as refused:
        os.close(writing)
        os.close(reading)
        return str(refused.strerror)
    os.close(writing)
    os.waitpid(process, 0)
    with open(reading, encoding="utf-8", errors="replace") as answer:
        said = answer.read()
    return "" if said == "fine" else said or "the first process of a namespace ended at once"
