"""The runtime process: the parent of a job's pods, and the one who knows which host is where.

It starts in some 25 ms, imports little, and ends with the supervisor that started it, and with
it everything that it started. `runtime` is its other end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time

from mpijob.local import kernel, preloads, processes, rsh, sandbox
from mpijob.local.keeper import MESSAGE_MAX, keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from mpijob.local.messages import PodMessage, Report, Request, SettingsMessage

#: As many agents as a large job starts at once, and some more.
_BACKLOG = 1024
_SHM = "/dev/shm"
#: Less shared memory than this (a container's 64 MiB) would make Open MPI fail at its start.
_SHM_MIN_BYTES = 1 << 30


class _Pod:
    """A pod as the runtime knows it."""

    __slots__ = ("channel", "keeper", "message", "open")

    def __init__(self, message: PodMessage, keeper: int, channel: socket.socket) -> None:
        self.message = message
        self.keeper = keeper
        self.channel = channel
        #: Its exec container runs, so agents may come in.
        self.open = False


class _Agent:
    """An rsh agent that waits for its host."""

    __slots__ = ("connection", "descriptors", "give_up_at", "host", "line")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.host = ""
        self.line = ""
        self.descriptors: list[int] = []
        self.give_up_at = 0.0


class Server:
    """The state of one job's runtime."""

    def __init__(self, settings: SettingsMessage, supervisor: socket.socket) -> None:
        """Find out whether namespaces are allowed, and make the folders and the rsh socket."""
        self._settings = settings
        self._supervisor = supervisor
        self._unread = b""
        self._pods: dict[str, _Pod] = {}
        self._agents: dict[int, _Agent] = {}
        self._expected: set[str] = set()
        self._users = {os.geteuid()}
        self._reason = sandbox.refusal() if settings["mode"] != "plain" else "plain mode is set"
        self._namespaced = not self._reason
        self._record = f"{settings['home']}/runtimes/{settings['token']}.json"
        self._folder = settings["run_folder"]
        self._shm = _shm_folder(settings)
        self._lock = self._write_record()
        self._poll = select.poll()
        self._waking, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._write_agent()
        self._listener = self._listen()

    def run(self) -> NoReturn:
        """Serve until the supervisor is gone."""
        self._greet()
        for source in (self._waking, self._supervisor, self._listener):
            self._poll.register(source, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll(self._pause_ms()):
                if descriptor == self._waking:
                    if signal.SIGTERM in os.read(self._waking, 4096):
                        self._end()
                elif descriptor == self._supervisor.fileno():
                    self._obey()
                elif descriptor == self._listener.fileno():
                    self._welcome()
                elif descriptor in self._agents:
                    self._hear_agent(descriptor)
                else:
                    self._hear_keeper(descriptor)
            self._reap()
            self._dismiss_late_agents()

    def _greet(self) -> None:
        if self._settings["mode"] == "namespaces" and not self._namespaced:
            self._tell({"event": "failed", "message": self._reason, "at": time.time()})
            self._end()
        self._tell(
            {
                "event": "ready",
                "mode": "namespaces" if self._namespaced else "plain",
                "message": self._reason,
                "shm_folder": self._shm,
                "openmpi_library": self._openmpi_library(),
                "at": time.time(),
            }
        )

    # Folders.

    def _write_record(self) -> int:
        """Leave word of this runtime for `sweep`; return the lock that says it is alive."""
        os.makedirs(os.path.dirname(self._record), exist_ok=True)
        draft = f"{self._record}.new"
        handle = os.open(draft, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = json.dumps({"folders": [self._folder, self._shm], "process": os.getpid()})
        os.write(handle, text.encode())
        # It gets its name when it is locked, or a sweep in between would take it for a dead one's.
        os.rename(draft, self._record)
        return handle

    def _openmpi_library(self) -> str:
        """Write the library that Open MPI wants preloaded; return its path, or "" without one."""
        path = f"{self._folder}/openmpi.so"
        library = preloads.openmpi_library(os.uname().machine)
        return path if preloads.write(path, library) else ""

    def _write_agent(self) -> None:
        """Put the rsh agent into the run folder, to be run by this very interpreter."""
        with open(rsh.__file__, encoding="utf-8") as file:
            source = file.read()
        interpreter = os.path.realpath(sys.executable)
        path = f"{self._folder}/rsh"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{interpreter} -ISE\n{source}")
        os.chmod(path, 0o755)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # By a relative name: an absolute one of more than 107 bytes is refused.
        os.chdir(self._folder)
        listener.bind(rsh.SOCKET)
        os.chdir("/")
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    # The supervisor.

    def _obey(self) -> None:
        try:
            read = self._supervisor.recv(1 << 16)
        except OSError:
            read = b""
        if not read:
            self._end()
        *lines, self._unread = (self._unread + read).split(b"\n")
        for line in lines:
            self._carry_out(json.loads(line))

    def _carry_out(self, request: Request) -> None:
        if request["do"] == "expect":
            self._expected.update(request["hosts"])
            return
        if request["do"] == "start":
            self._start(request["pod"])
            return
        pod = self._pods.get(request["uid"])
        if pod is not None:
            with contextlib.suppress(OSError):
                pod.channel.sendall(json.dumps(request).encode())

    def _tell(self, report: Report) -> None:
        with contextlib.suppress(OSError):
            self._supervisor.sendall(json.dumps(report).encode() + b"\n")

    # Pods.

    def _start(self, message: PodMessage) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._admit_users(message)

        def first() -> None:
            self._become_keeper(message, theirs)

        try:
            keeper = sandbox.spawn(first) if self._namespaced else _forked(first)
        except OSError as refused:
            ours.close()
            complaint = f"no namespaces for this pod: {refused.strerror}"
            self._refuse(message["uid"], complaint)
            return
        finally:
            theirs.close()
        self._pods[message["uid"]] = _Pod(message, keeper, ours)
        self._poll.register(ours, select.POLLIN)

    def _refuse(self, uid: str, complaint: str) -> None:
        now = time.time()
        self._tell({"event": "refused", "uid": uid, "message": complaint, "at": now})
        self._tell({"event": "gone", "uid": uid, "at": now})

    def _admit_users(self, message: PodMessage) -> None:
        """Let the users that containers run as reach the rsh socket, and themselves only."""
        for container in [*message["init"], *message["containers"]]:
            if container["uid"] is not None and container["uid"] not in self._users:
                self._users.add(container["uid"])
                os.chmod(self._folder, 0o711)
                os.chmod(f"{self._folder}/{rsh.SOCKET}", 0o666)

    def _become_keeper(self, message: PodMessage, channel: socket.socket) -> None:
        """In the child: leave all that is the runtime's, and take the pod."""
        _close_all_but(channel.fileno())
        try:
            env = self._env_of(message)
            if self._namespaced:
                sandbox.furnish(message, [*self._kept(), message["folder"]])
        except OSError as refused:
            report: Report = {
                "event": "refused",
                "message": f"{refused.filename}: {refused.strerror}",
                "at": time.time(),
            }
            channel.sendall(json.dumps(report).encode())
            os._exit(0)
        env_of_host = self._host_env_of(message)
        keep(message, channel, (env, env_of_host), namespaced=self._namespaced)

    def _kept(self) -> list[str]:
        """Return what pods need to see of the machine whatever they mount."""
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        return [self._folder, here, sys.executable, sys.base_prefix]

    def _env_of(self, message: PodMessage) -> dict[str, str]:
        """Return the environment that every process of a pod has, unless a container says else."""
        hostname = message["hostname"]
        env = {
            rsh.FOLDER: self._folder,
            "TMPDIR": f"{self._folder}/tmp/{hostname}",
            processes.RUNTIME_MARK: self._settings["token"],
        }
        folders = [env["TMPDIR"]]
        if not self._namespaced:
            folders.append(f"{self._shm}/{hostname}")
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o1777)
        return env

    def _host_env_of(self, message: PodMessage) -> dict[str, str]:
        """Return what else a process has because it runs on this pod's host.

        mpirun hands its own environment to ranks on other hosts (MPICH's all of it, Open MPI's
        its settings). So a launcher's containers must not have these; what comes by rsh has.
        """
        hostname = message["hostname"]
        env = {"HOSTNAME": hostname, "MPIJOB_HOST": hostname}
        if not self._namespaced:
            # Pods share /dev/shm and the machine's name here, so Open MPI's files would collide,
            # and version 5 would take two hosts for one.
            named = f"{self._folder}/{hostname}.so"
            library = preloads.hostname_library(hostname, os.uname().machine)
            if preloads.write(named, library):
                env["LD_PRELOAD"] = named
            env["OMPI_MCA_btl_sm_backing_directory"] = f"{self._shm}/{hostname}"
            env["OMPI_MCA_btl_vader_backing_directory"] = f"{self._shm}/{hostname}"
        return env

    def _hear_keeper(self, descriptor: int) -> None:
        for pod in self._pods.values():
            if pod.channel.fileno() == descriptor:
                break
        else:
            return
        try:
            text = pod.channel.recv(MESSAGE_MAX)
        except OSError:
            text = b""
        if not text:
            self._poll.unregister(descriptor)
            pod.channel.close()
            return
        report: Report = json.loads(text)
        report["uid"] = pod.message["uid"]
        if report["event"] == "created":
            report["pid"] = pod.keeper
        if report.get("container") == pod.message["exec_container"]:
            pod.open = report["event"] == "started"
        self._tell(report)
        if pod.open:
            self._let_in(pod)

    def _reap(self) -> None:
        while True:
            try:
                process, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            for uid, pod in self._pods.items():
                if pod.keeper == process:
                    self._bury(uid, pod)
                    break

    def _bury(self, uid: str, pod: _Pod) -> None:
        """A keeper has ended: hear its last words, and end what it may have left."""
        while pod.channel.fileno() >= 0:
            self._hear_keeper(pod.channel.fileno())
        if not self._namespaced:
            self._end_orphans(f"{processes.POD_MARK}={uid}")
        del self._pods[uid]
        self._tell({"event": "gone", "uid": uid, "at": time.time()})

    def _end_orphans(self, mark: str) -> None:
        """Kill what a keeper that was itself killed has left: it is below this process now."""
        processes.end_marked(mark, f"{processes.RUNTIME_MARK}={self._settings['token']}")
        keepers = {pod.keeper for pod in self._pods.values()}
        own = os.getpid()
        for process, parent in processes.parents().items():
            if parent == own and process not in keepers:
                processes.end_below(process)

    # Agents.

    def _welcome(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                if _user_of(connection) in self._users:
                    self._agents[connection.fileno()] = _Agent(connection)
                    self._poll.register(connection, select.POLLIN)
                else:
                    connection.close()

    def _hear_agent(self, descriptor: int) -> None:
        """Read an agent's request; whatever comes after it, or instead, is its end."""
        agent = self._agents[descriptor]
        text, descriptors = b"", list[int]()
        if not agent.host:
            with contextlib.suppress(OSError):
                text, descriptors, *_ = socket.recv_fds(
                    agent.connection, MESSAGE_MAX, 3, socket.MSG_CMSG_CLOEXEC
                )
        host, _, line = text.decode(errors="surrogateescape").partition("\0")
        agent.descriptors += descriptors
        if not host or len(agent.descriptors) != 3:
            self._dismiss(agent)
            return
        # A host may be named in full; pods are known by the first label.
        agent.host, agent.line = host.partition(".")[0], line
        pods = [pod for pod in self._pods.values() if pod.message["hostname"] == agent.host]
        known = pods or agent.host in self._expected
        wait_s = self._settings["rsh_wait_s" if known else "unknown_wait_s"]
        agent.give_up_at = time.monotonic() + wait_s
        for pod in pods:
            if pod.open:
                self._let_in(pod)

    def _let_in(self, pod: _Pod) -> None:
        """Hand the agents that wait for this pod's host to its keeper."""
        for agent in list(self._agents.values()):
            if agent.host != pod.message["hostname"]:
                continue
            request: Request = {"do": "attach", "line": agent.line}
            descriptors = [agent.connection.fileno(), *agent.descriptors]
            with contextlib.suppress(OSError):
                socket.send_fds(pod.channel, [json.dumps(request).encode()], descriptors)
            self._dismiss(agent)

    def _dismiss_late_agents(self) -> None:
        now = time.monotonic()
        for agent in list(self._agents.values()):
            if agent.host and now >= agent.give_up_at:
                pods = [p for p in self._pods.values() if p.message["hostname"] == agent.host]
                if pods:
                    why = "its container is not running"
                elif agent.host in self._expected:
                    why = "its pod has not started"
                else:
                    why = "this job has no such host"
                with contextlib.suppress(OSError):
                    agent.connection.sendall(f"fail {why}".encode())
                self._dismiss(agent)

    def _dismiss(self, agent: _Agent) -> None:
        del self._agents[agent.connection.fileno()]
        self._poll.unregister(agent.connection)
        agent.connection.close()
        for descriptor in agent.descriptors:
            os.close(descriptor)

    def _pause_ms(self) -> int | None:
        moments = [agent.give_up_at for agent in self._agents.values() if agent.host]
        if not moments:
            return None
        return max(0, int(1000 * (min(moments) - time.monotonic())) + 1)

    def _end(self) -> NoReturn:
        """End every pod, then what descends from here in any way, then the folders."""
        keepers = {pod.keeper for pod in self._pods.values()}
        if not self._namespaced:
            # Were this process killed now, the keepers would still end what is theirs. So they
            # go last, when there is nothing left below them.
            processes.end_descendants(_collect_all, spared=keepers)
        for keeper in keepers:
            # With a keeper of a namespace the kernel kills all that is in it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGKILL)
        for keeper in keepers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(keeper, 0)
        processes.end_descendants(_collect_all)
        processes.end_marked(f"{processes.RUNTIME_MARK}={self._settings['token']}")
        import shutil

        for folder in (self._folder, self._shm):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(self._record)
        os._exit(0)


def _shm_folder(settings: SettingsMessage) -> str:
    """Return a folder for shared memory of this runtime's pods, in memory where there is room."""
    folder = f"{_SHM}/mpijob-{settings['token']}"
    with contextlib.suppress(OSError):
        room = os.statvfs(_SHM)
        if room.f_bavail * room.f_frsize >= _SHM_MIN_BYTES:
            os.mkdir(folder, 0o711)
            return folder
    folder = f"{settings['run_folder']}/shm"
    os.makedirs(folder, exist_ok=True)
    return folder


def _forked(first: object) -> int:
    """Return the process id of a child that keeps a pod without namespaces."""
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            kernel.become_subreaper()
            kernel.die_with_parent(signal.SIGTERM)
            if os.getppid() == parent and callable(first):
                first()
        finally:
            os._exit(70)
    return process


def _close_all_but(kept: int) -> None:
    """Close what the runtime has open; its standard streams and `kept` stay."""
    signal.set_wakeup_fd(-1)
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)


def _user_of(connection: socket.socket) -> int:
    """Return the user at the other end of a unix socket."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


def _collect_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(settings_text: str, descriptor: int) -> NoReturn:
    """Be the runtime of one job. The supervisor's socket is inherited as `descriptor`."""
    settings: SettingsMessage = json.loads(settings_text)
    kernel.set_name("mpijob-runtime")
    kernel.become_subreaper()
    kernel.die_with_parent(signal.SIGTERM)
    if os.getppid() != settings["supervisor"]:
        os._exit(1)
    supervisor = socket.socket(fileno=descriptor)
    supervisor.set_inheritable(False)
    Server(settings, supervisor).run()
