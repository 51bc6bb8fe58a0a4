"""One process of a pod, from fork to exec."""

from __future__ import annotations

import contextlib
import errno
import os
import signal

from mpijob.local import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mpijob.local.messages import ContainerMessage

#: What a shell says of a command that is not there, or may not be run.
NOT_FOUND = 127
NOT_EXECUTABLE = 126
#: The signals that Python, the runtime or its keepers treat in a way of their own, and those that
#: a shell has what it starts in the background ignore.
_CHANGED = (
    signal.SIGCHLD,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGPIPE,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGXFSZ,
)


class StartFailed(Exception):
    """A process could not be started; the message says what and why, for the job's author."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def start(
    container: ContainerMessage, argv: list[str], stdio: tuple[int, int, int], *, guarded: bool
) -> int:
    """Return the id of a new process that runs `argv` in a session of its own.

    Args:
        container: Whose environment, working directory and user the process gets.
        argv: The program, looked up in the container's own PATH, and its arguments.
        stdio: The descriptors that become its standard input, output and error.
        guarded: The kernel is to kill it when this process dies.

    Raises:
        StartFailed: The program never began.

    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            _prepare(container, stdio)
            if guarded:
                kernel.die_with_parent(signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
            _execute(argv, container["env"])
        except OSError as refused:
            os.write(writing, f"{refused.errno} {_complaint(refused, container, argv)}".encode())
        finally:
            os._exit(NOT_FOUND)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as answer:
        said = answer.read()
    if not said:
        return process
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, 0)
    code, _, message = said.partition(" ")
    raise StartFailed(NOT_FOUND if int(code) == errno.ENOENT else NOT_EXECUTABLE, message)


def _prepare(container: ContainerMessage, stdio: tuple[int, int, int]) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    # Python ignores SIGPIPE, and an ignored signal stays ignored in what is executed.
    for ignored in _CHANGED:
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    for number, descriptor in enumerate([os.dup(descriptor) for descriptor in stdio]):
        os.dup2(descriptor, number)
    if container["gid"] is not None:
        if os.geteuid() == 0:
            os.setgroups(container["groups"])
        os.setgid(container["gid"])
    if container["uid"] is not None:
        os.setuid(container["uid"])
    os.chdir(container["folder"])


def _execute(argv: list[str], env: dict[str, str]) -> None:
    """Become the program, looked up as `execvp` does but in the PATH that it will have."""
    if "/" in argv[0]:
        os.execve(argv[0], argv, env)
    denied: OSError | None = None
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        try:
            os.execve(os.path.join(folder or ".", argv[0]), argv, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as refused:
            denied = denied or refused
    raise denied or FileNotFoundError(errno.ENOENT, "not found in $PATH", argv[0])


def _complaint(refused: OSError, container: ContainerMessage, argv: list[str]) -> str:
    if refused.filename == container["folder"]:
        return f'working directory "{container["folder"]}": {refused.strerror}'
    if refused.errno == errno.ENOEXEC:
        return f'exec "{argv[0]}": no program, and no "#!" in its first line'
    if refused.errno == errno.EPERM and container["uid"] is not None:
        return f"run as user {container['uid']}, group {container['gid']}: {refused.strerror}"
    return f'exec "{argv[0]}": {refused.strerror}'
