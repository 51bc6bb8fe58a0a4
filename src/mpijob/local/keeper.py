"""A pod's first process: starts its containers and what comes by rsh, reaps, and ends it all.

In a namespace of its own it is process 1, so its end is the end of everything in the pod.
Without namespaces it is a subreaper, so every process of the pod stays below it, and the kernel
tells it when the runtime is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time

from mpijob.local import kernel, processes
from mpijob.local.launch import NOT_FOUND, StartFailed, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from mpijob.local.messages import ContainerMessage, PodMessage, Report, Request

#: More than a message may hold; a request with a command line of 128 KiB fits.
MESSAGE_MAX = 1 << 18
_CONTAINER_MARK = "MPIJOB_CONTAINER"
_EXEC_MARK = "MPIJOB_EXEC"
_PRELOAD = "LD_PRELOAD"
#: Names libraries to preload beside those that a container's own LD_PRELOAD names.
PRELOAD_VARIABLE = "MPIJOB_PRELOAD"
#: How long the processes of an rsh agent that died may take to follow it.
_FAREWELL_S = 1.0
_SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"


class _Session:
    """A process that came by `exec` or rsh, and who wants to know its end."""

    __slots__ = ("agent", "by_rsh", "id", "kill_at", "mark")

    def __init__(self, name: str, agent: socket.socket | None) -> None:
        self.id = name
        self.agent = agent
        self.by_rsh = agent is not None
        self.mark = f"{_EXEC_MARK}={name}"
        self.kill_at: float | None = None


class Keeper:
    """The life of one pod."""

    def __init__(
        self,
        pod: PodMessage,
        channel: socket.socket,
        envs: tuple[dict[str, str], dict[str, str]],
        *,
        namespaced: bool,
    ) -> None:
        """Take charge of `pod`.

        Args:
            pod: What runs in it, and as whom.
            channel: Where the runtime speaks; its end is the end of the pod.
            envs: What the runtime gives every process of the pod, unless a container says else;
                and what it gives those that may know their host.
            namespaced: This is process 1 of a pid namespace, not a subreaper among others.
        """
        self._pod = pod
        self._channel = channel
        self._env, self._host_env = envs
        self._marks = {
            processes.RUNTIME_MARK: self._env[processes.RUNTIME_MARK],
            processes.POD_MARK: pod["uid"],
        }
        self._namespaced = namespaced
        self._init = [container["name"] for container in pod["init"]]
        self._containers = {
            container["name"]: container for container in [*pod["init"], *pod["containers"]]
        }
        self._running: dict[int, str] = {}
        self._without_process: set[str] = set()
        self._sessions: dict[int, _Session] = {}
        self._session_count = 0
        self._stop_at: float | None = None

    def run(self) -> NoReturn:
        """Keep the pod until it is stopped or the runtime is gone."""
        waking, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        poll = select.poll()
        poll.register(waking, select.POLLIN)
        poll.register(self._channel, select.POLLIN)
        self._poll = poll
        self._begin()
        while True:
            for descriptor, _ in poll.poll(self._pause_ms()):
                if descriptor == waking:
                    if signal.SIGTERM in os.read(waking, 4096):
                        self._end()
                elif descriptor == self._channel.fileno():
                    self._obey()
                else:
                    self._agent_gone(descriptor)
            self._reap()
            self._keep_time()

    # What the pod runs.

    def _begin(self) -> None:
        self._tell({"event": "created", "pid": os.getpid(), "at": time.time()})
        if self._init:
            self._start(self._init[0])
            return
        for container in self._pod["containers"]:
            self._start(container["name"])

    def _start(self, name: str) -> None:
        """Start container `name`; one without arguments runs without a process."""
        container = self._containers[name]
        if not container["argv"]:
            self._without_process.add(name)
            self._tell({"event": "started", "container": name, "at": time.time()})
            return
        try:
            process = self._launch(container, container["argv"], container["log"], _CONTAINER_MARK)
        except (StartFailed, OSError) as refused:
            code = refused.code if isinstance(refused, StartFailed) else NOT_FOUND
            now = time.time()
            self._tell({"event": "started", "container": name, "at": now})
            self._ended(name, {"code": code, "message": str(refused), "event": "exited", "at": now})
            return
        self._running[process] = name
        self._tell({"event": "started", "container": name, "pid": process, "at": time.time()})

    def _launch(
        self, container: ContainerMessage, argv: list[str], log: str, mark: str, value: str = ""
    ) -> int:
        with contextlib.ExitStack() as opened:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            output = os.open(log or os.devnull, flags, 0o644)
            opened.callback(os.close, output)
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, nothing)
            marked = self._marked(container, mark, value or container["name"])
            return start(marked, argv, (nothing, output, output), guarded=not self._namespaced)

    def _marked(self, container: ContainerMessage, mark: str, value: str) -> ContainerMessage:
        known = self._env
        if mark == _EXEC_MARK or not self._pod["launcher"]:
            known = {**self._env, **self._host_env}
        own = container["env"]
        env = {**known, **own, **self._marks, mark: value}
        libraries = (own.get(_PRELOAD), own.get(PRELOAD_VARIABLE), known.get(_PRELOAD))
        if preloaded := ":".join(library for library in libraries if library):
            env[_PRELOAD] = preloaded
        return {**container, "env": env}

    # What the runtime and the agents say.

    def _obey(self) -> None:
        try:
            text, descriptors, *_ = socket.recv_fds(
                self._channel, MESSAGE_MAX, 4, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            text, descriptors = b"", []
        if not text:
            self._end()
        request: Request = json.loads(text)
        match request["do"]:
            case "attach":
                self._attach(request["line"], descriptors)
            case "run":
                self._containers[request["container"]]["log"] = request["log"]
                self._start(request["container"])
            case "exec":
                self._execute(request)
            case "stop":
                self._stop(request["grace_s"])
            case _:
                self._end()

    def _attach(self, line: str, descriptors: list[int]) -> None:
        """Run `line` in a shell for an rsh agent, on the agent's own input and outputs."""
        connection, *stdio = descriptors
        agent = socket.socket(fileno=connection)
        container = self._containers[self._pod["exec_container"]]
        session = self._new_session(agent, "")
        try:
            if not self._alive(container["name"]):
                raise StartFailed(NOT_FOUND, "its container is not running")
            marked = self._marked(container, _EXEC_MARK, session.id)
            argv = [_SHELL, "-c", line]
            process = start(
                marked, argv, (stdio[0], stdio[1], stdio[2]), guarded=not self._namespaced
            )
        except StartFailed as refused:
            _answer(agent, f"fail {refused}")
        else:
            self._sessions[process] = session
            self._poll.register(agent, select.POLLIN)
        for descriptor in stdio:
            os.close(descriptor)

    def _execute(self, request: Request) -> None:
        """Run a command beside the containers, as a probe or a hook does."""
        name, log = request["container"] or self._pod["exec_container"], request["log"]
        session = self._new_session(None, request["id"])
        try:
            container = self._containers[name]
            process = self._launch(container, request["argv"], log, _EXEC_MARK, session.id)
        except (StartFailed, OSError) as refused:
            code = refused.code if isinstance(refused, StartFailed) else NOT_FOUND
            self._tell(
                {
                    "event": "executed",
                    "id": session.id,
                    "code": code,
                    "message": str(refused),
                    "at": time.time(),
                }
            )
            return
        self._sessions[process] = session

    def _new_session(self, agent: socket.socket | None, name: str) -> _Session:
        self._session_count += 1
        return _Session(name or f"{self._pod['uid']}/{self._session_count}", agent)

    def _agent_gone(self, descriptor: int) -> None:
        """An agent has died before its command: hang up, and kill what does not follow."""
        for process, session in self._sessions.items():
            if session.agent is not None and session.agent.fileno() == descriptor:
                self._poll.unregister(session.agent)
                session.agent.close()
                session.agent = None
                session.kill_at = time.monotonic() + _FAREWELL_S
                for number in (signal.SIGHUP, signal.SIGTERM):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process, number)
                return

    # How things end.

    def _reap(self) -> None:
        """Collect every child that has ended, and say so to whom it concerns."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            self._collect(process, status)

    def _collect(self, process: int, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if process in self._running:
            report: Report = {"event": "exited", "code": code, "at": time.time()}
            if code < 0:
                report |= {"code": 128 - code, "signal": -code}
            self._ended(self._running.pop(process), report)
        elif process in self._sessions:
            session = self._sessions.pop(process)
            code = 128 - code if code < 0 else code
            if session.agent is not None:
                self._poll.unregister(session.agent)
                _answer(session.agent, f"exit {code}")
            elif session.by_rsh:
                self._kill_marked(session.mark)
            else:
                report = {"event": "executed", "id": session.id, "code": code, "at": time.time()}
                self._tell(report)

    def _ended(self, name: str, report: Report) -> None:
        """A container has ended: so does all that it left behind, before anyone hears of it."""
        if self._running or self._without_process:
            self._kill_marked(f"{_CONTAINER_MARK}={name}")
        else:
            self._kill_all()
        self._tell({**report, "container": name})
        if self._stop_at is not None:
            if not self._running:
                self._end()
        elif name in self._init and report["code"] == 0:
            self._init = self._init[self._init.index(name) + 1 :]
            if self._init:
                self._start(self._init[0])
                return
            for container in self._pod["containers"]:
                self._start(container["name"])

    def _stop(self, grace_s: float) -> None:
        """Ask the containers to end; kill what is left after `grace_s` seconds."""
        self._stop_at = time.monotonic() + grace_s
        idle, self._without_process = self._without_process, set()
        for name in idle:
            self._tell({"event": "exited", "container": name, "code": 0, "at": time.time()})
        if not self._running or grace_s <= 0:
            self._kill_all()
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        if not self._running:
            self._end()

    def _keep_time(self) -> None:
        now = time.monotonic()
        for session in self._sessions.values():
            if session.kill_at is not None and now >= session.kill_at:
                self._kill_marked(session.mark)
        if self._stop_at is not None and now >= self._stop_at:
            self._kill_all()
            self._end()

    def _pause_ms(self) -> int | None:
        moments = [session.kill_at for session in self._sessions.values() if session.kill_at]
        if self._stop_at is not None:
            moments.append(self._stop_at)
        return max(0, int(1000 * (min(moments) - time.monotonic())) + 1) if moments else None

    def _kill_all(self) -> None:
        """Kill every process of the pod but this one, and see each of them gone."""
        if not self._namespaced:
            processes.end_descendants(self._reap)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        while True:
            try:
                process, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            self._collect(process, status)

    def _kill_marked(self, mark: str) -> None:
        processes.end_marked(mark, *(f"{name}={value}" for name, value in self._marks.items()))

    def _alive(self, name: str) -> bool:
        return name in self._without_process or name in self._running.values()

    def _tell(self, report: Report) -> None:
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(report).encode())

    def _end(self) -> NoReturn:
        """Leave, and nothing of the pod stays."""
        self._kill_all()
        os._exit(0)


def _answer(agent: socket.socket, text: str) -> None:
    """Tell an agent how its command ended, and let it go."""
    with contextlib.suppress(OSError):
        agent.sendall(text.encode())
    agent.close()


def keep(
    pod: PodMessage,
    channel: socket.socket,
    envs: tuple[dict[str, str], dict[str, str]],
    *,
    namespaced: bool,
) -> NoReturn:
    """Be the keeper of `pod`, in a process that was just forked for it; never returns."""
    with contextlib.suppress(OSError):
        kernel.set_name("mpijob-pod")
    try:
        Keeper(pod, channel, envs, namespaced=namespaced).run()
    finally:
        os._exit(71)
