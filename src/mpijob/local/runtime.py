"""The supervisor's end of the runtime: pods as processes on this machine.

How it is used, from asyncio::

    runtime = await Runtime.launch(home, expect=["pi-worker-0", "pi-worker-1"])
    runtime.start(pod)                      # a Pod: what a kubelet makes of a Pod manifest
    async for event in runtime.events():    # Created, Started, Exited, Refused, Gone, Executed
        ...
    runtime.stop(pod.uid, grace_s=30.0)
    await runtime.close()                   # ends every process of every pod; idempotent

One `Runtime` serves one job. `launch` starts a process (`server`) that is the parent of all the
job's pods; when this process dies, however it dies, that one and everything below it die as well.

Expected flow of a pod's events: `Created` once its namespaces and mounts are there, or `Refused`
with a reason and then `Gone`. The init containers run in order: `Started`, `Exited`; the first
that fails ends the sequence, until `run` starts it again and it succeeds. Then all containers
start. A container that could not be started has a `Started` and an `Exited` with code 126 or 127
and a message. `run` starts a container anew after its `Exited`. A container without arguments
has no process: it runs until it is stopped, and is a host for ranks like any other. A pod whose
containers have all ended stays until `stop`. `stop` sends SIGTERM to each container's main
process, SIGKILL to everything `grace_s` later, and ends in `Gone`. When a container ends, all
that it left running is killed before `Exited` is told; so are the commands that came by rsh.

Ranks on other hosts: `runtime.agent` is the program to name as `plm_rsh_agent` and the like. It
runs its command in the pod of that host name (a full name counts by its first label), with the
environment, folder and user of the pod's `exec_container`. A host whose pod is not running yet is
waited for: `rsh_wait_s` where it is known (`expect`, or its pod was started), else
`unknown_wait_s`. Name the job's hosts with `expect` before its launcher starts.

Every process of a pod gets, unless its container's env says else: TMPDIR (a folder of the pod's
own with a short path) and MPIJOB_RSH_FOLDER; and, but for the containers of a launcher, HOSTNAME
and MPIJOB_HOST (the pod's host name) and in plain mode Open MPI's per-host folders for shared
memory. MPIJOB_RUNTIME, MPIJOB_POD_UID and MPIJOB_CONTAINER or MPIJOB_EXEC mark it as ours and
cannot be overridden. Nothing else is inherited: PATH, HOME, USER, LANG are the caller's to give.

Two modes, told by `runtime.namespaced`:

- with namespaces, a pod has its own host name, mounts (each at its real path), /dev/shm, IPC and
  process ids;
- plain, it has none of these, but for a library in LD_PRELOAD that lets programs see the pod's
  host name (those of a launcher see the machine's). `Pod.mounts`, `Pod.hosts` and
  `Pod.shm_size_bytes` then say nothing, and the caller rewrites paths with `paths.rewrite`.

Log files and working directories are opened inside the pod's view: keep logs below `Pod.folder`,
which is visible in the pod whatever it mounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Self

from msgspec import Struct, field

from mpijob.local import messages

#: Says how pods run where the caller does not: "plain", "namespaces" or "auto".
MODE_VARIABLE = "MPIJOB_LOCAL_PODS"
_SERVER = "mpijob.local.server"
_MODES = ("auto", "namespaces", "plain")
#: A pod with a large environment fits in a line of this length.
_LINE_MAX = 1 << 24


class RuntimeFailed(Exception):
    """The runtime could not start, or has ended unasked; the message says why."""


class Mount(Struct, frozen=True):
    """A file or folder of this machine, or a tmpfs, at a path of the pod.

    `private` says that the volume belongs to the pod (an emptyDir, a ConfigMap's files), so that
    mount points of further volumes may be made in it.
    """

    target: str
    source: str = ""
    tmpfs: bool = False
    read_only: bool = False
    private: bool = False
    #: Of a tmpfs; None is half of this machine's memory.
    size_bytes: int | None = None


class Container(Struct, frozen=True):
    """A program of a pod, with all that it needs to be started."""

    name: str
    #: None at all: the container runs without a process.
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    #: The working directory, as the pod sees it.
    folder: str = "/"
    #: Where standard output and error are appended; "" discards them.
    log: str = ""
    #: As whom it runs; None is as the user of this process. Others need root.
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()


class Pod(Struct, frozen=True):
    """A host of the job: what runs there, and what it sees."""

    uid: str
    name: str
    hostname: str
    #: A folder of the pod's own that is there and that nothing else uses.
    folder: str
    containers: tuple[Container, ...]
    init: tuple[Container, ...] = ()
    #: Where rsh commands run; "" is the first container.
    exec_container: str = ""
    #: It runs mpirun, which hands its environment on to ranks on other hosts. So its containers
    #: are not given what belongs to their own host alone; see above.
    launcher: bool = False
    mounts: tuple[Mount, ...] = ()
    #: Paths that stay visible whatever is mounted above them: the MPI's prefix and the like.
    keep: tuple[str, ...] = ()
    #: The pod's /etc/hosts; "" leaves the machine's.
    hosts: str = ""
    #: The size of /dev/shm; None is half of this machine's memory.
    shm_size_bytes: int | None = None


class Created(Struct, frozen=True):
    """A pod is there, with its namespaces and mounts; `pid` is its first process."""

    uid: str
    at: float
    pid: int


class Refused(Struct, frozen=True):
    """A pod could not be made; `Gone` follows."""

    uid: str
    at: float
    message: str


class Started(Struct, frozen=True):
    """A container runs. `at` is seconds since the epoch, as in all events."""

    uid: str
    at: float
    container: str


class Exited(Struct, frozen=True):
    """A container has ended, and nothing it left behind runs any more.

    `code` is the exit code, 128 + `signal` where a signal ended it (`signal` is 0 otherwise), and
    126 or 127 with a `message` where it could not be started.
    """

    uid: str
    at: float
    container: str
    code: int
    signal: int = 0
    message: str = ""


class Executed(Struct, frozen=True):
    """A command given to `Runtime.execute` has ended."""

    uid: str
    at: float
    name: str
    code: int
    message: str = ""


class Gone(Struct, frozen=True):
    """A pod is gone, and so is every process of it."""

    uid: str
    at: float


Event = Created | Refused | Started | Exited | Executed | Gone


class Runtime:
    """A running runtime process. Made by `launch`; used from one asyncio loop."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ready: messages.Report,
        settings: messages.SettingsMessage,
    ) -> None:
        """Not for callers: see `launch`."""
        self._process = process
        self._reader = reader
        self._writer = writer
        self._closing = False
        #: Whether pods have namespaces of their own.
        self.namespaced = ready["mode"] == "namespaces"
        #: Why they do not; "" where they do.
        self.plain_because = ready["message"]
        #: A folder of this runtime's own, gone when it ends; its path is short.
        self.run_folder = settings["run_folder"]
        #: The rsh agent's path, the same inside and outside of pods.
        self.agent = f"{self.run_folder}/rsh"
        #: Holds the pods' shared memory, a folder a host name, in plain mode.
        self.shm_folder = ready["shm_folder"]
        #: A library for Open MPI's programs to preload; "" where there is none. See `mpi_env`.
        self.openmpi_library = ready["openmpi_library"]
        #: What all its processes carry in MPIJOB_RUNTIME, and nothing else does.
        self.token = settings["token"]

    @classmethod
    async def launch(
        cls,
        home: Path,
        *,
        mode: str = "",
        expect: Iterable[str] = (),
        rsh_wait_s: float = 120.0,
        unknown_wait_s: float = 5.0,
    ) -> Self:
        """Start a runtime and return it once it is ready.

        Call it from a thread that lives as long as the job, the main thread at best: the kernel
        takes the end of that thread for the end of this process.

        Args:
            home: Where mpijob keeps its things; `sweep(home)` finds what a crash left.
            mode: "auto", "plain" or "namespaces"; "" asks the environment (MPIJOB_LOCAL_PODS).
            expect: The host names of the job.
            rsh_wait_s: How long the rsh agent waits for a host of the job, in seconds.
            unknown_wait_s: The same for a host that the job is not known to have.

        Raises:
            RuntimeFailed: It did not start, or namespaces are demanded and not allowed.

        """
        token, asked_mode = secrets.token_hex(8), _mode(mode)
        run_folder = tempfile.mkdtemp(prefix="mpijob-")
        settings: messages.SettingsMessage = {
            "token": token,
            "home": _absolute(home),
            "run_folder": run_folder,
            "supervisor": os.getpid(),
            "mode": asked_mode,
            "rsh_wait_s": rsh_wait_s,
            "unknown_wait_s": unknown_wait_s,
        }
        ours, theirs = socket.socketpair()
        with theirs:
            process = _start_process(settings, theirs.fileno())
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_MAX)
        line = await reader.readline()
        ready: messages.Report = json.loads(line) if line else _startup_failure(run_folder)
        if ready["event"] != "ready":
            writer.close()
            process.wait()
            raise RuntimeFailed(ready["message"])
        runtime = cls(process, reader, writer, ready, settings)
        runtime.expect(expect)
        return runtime

    def expect(self, hosts: Iterable[str]) -> None:
        """Tell which hosts the job has or will have, so that the rsh agent waits for them."""
        self._ask({"do": "expect", "hosts": list(hosts)})

    def start(self, pod: Pod) -> None:
        """Make a pod and start its containers; events tell the rest."""
        self._ask({"do": "start", "pod": _pod_message(pod)})

    def run(self, uid: str, container: str, *, log: str) -> None:
        """Start an ended container of a pod anew, with its output appended to `log`."""
        self._ask({"do": "run", "uid": uid, "container": container, "log": log})

    def execute(
        self, uid: str, argv: Iterable[str], *, name: str, log: str = "", container: str = ""
    ) -> None:
        """Run a command in a pod, beside its containers; `Executed` of this `name` tells its end.

        The name is the caller's, and unique. The command has the environment, folder and user of
        `container`, or of the pod's exec container.
        """
        self._ask(
            {
                "do": "exec",
                "uid": uid,
                "argv": list(argv),
                "id": name,
                "log": log,
                "container": container,
            }
        )

    def stop(self, uid: str, *, grace_s: float) -> None:
        """End a pod: SIGTERM to its containers, SIGKILL to everything `grace_s` seconds later."""
        self._ask({"do": "stop", "uid": uid, "grace_s": grace_s})

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens in the pods, in order, until `close`.

        Raises RuntimeFailed where the runtime ends unasked. Its pods have ended with it.
        """
        while line := await self._line():
            yield _event(json.loads(line))
        if not self._closing:
            raise RuntimeFailed("the job's runtime process has ended, and its pods with it")

    async def close(self) -> None:
        """End the runtime and every process of every pod, at once; return when they are gone."""
        self._closing = True
        self._writer.close()
        await asyncio.to_thread(self._process.wait)

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except ConnectionError:
            return b""

    def _ask(self, request: messages.Request) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.write(json.dumps(request).encode() + b"\n")


def _absolute(path: Path) -> str:
    return os.path.abspath(path)


def _mode(asked: str) -> messages.Mode:
    value = asked or os.environ.get(MODE_VARIABLE) or "auto"
    match value:
        case "auto" | "namespaces" | "plain":
            return value
        case _:
            known = ", ".join(_MODES)
            raise RuntimeFailed(f'{MODE_VARIABLE}: "{value}" is no way to run pods ({known})')


def _start_process(settings: messages.SettingsMessage, descriptor: int) -> subprocess.Popen[bytes]:
    source = str(Path(__file__).parents[2])
    program = (
        f"import sys; sys.path.append({source!r}); "
        f"from {_SERVER} import main; main(sys.argv[1], int(sys.argv[2]))"
    )
    with open(f"{settings['run_folder']}/runtime.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, json.dumps(settings), str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[descriptor],
            start_new_session=True,
        )


def _startup_failure(run_folder: str) -> messages.Report:
    with contextlib.suppress(OSError):
        log = Path(run_folder, "runtime.log").read_text(errors="replace").strip()
        if log:
            return {"event": "failed", "at": 0.0, "message": log.splitlines()[-1]}
    return {"event": "failed", "at": 0.0, "message": "the runtime process ended at its start"}


def _pod_message(pod: Pod) -> messages.PodMessage:
    return {
        "uid": pod.uid,
        "name": pod.name,
        "hostname": pod.hostname,
        "folder": os.path.realpath(pod.folder),
        "init": [_container_message(container) for container in pod.init],
        "containers": [_container_message(container) for container in pod.containers],
        "exec_container": pod.exec_container or pod.containers[0].name,
        "launcher": pod.launcher,
        "mounts": [_mount_message(mount) for mount in pod.mounts],
        "keep": list(pod.keep),
        "hosts": pod.hosts,
        "shm_size_bytes": pod.shm_size_bytes,
    }


def _container_message(container: Container) -> messages.ContainerMessage:
    return {
        "name": container.name,
        "argv": list(container.argv),
        "env": container.env,
        "folder": container.folder,
        "log": container.log,
        "uid": container.uid,
        "gid": container.gid,
        "groups": list(container.groups),
    }


def _mount_message(mount: Mount) -> messages.MountMessage:
    return {
        "target": mount.target,
        "source": mount.source,
        "tmpfs": mount.tmpfs,
        "read_only": mount.read_only,
        "private": mount.private,
        "size_bytes": mount.size_bytes,
    }


def _event(report: messages.Report) -> Event:
    uid, at = report["uid"], report["at"]
    match report["event"]:
        case "created":
            return Created(uid, at, report["pid"])
        case "refused":
            return Refused(uid, at, report["message"])
        case "started":
            return Started(uid, at, report["container"])
        case "exited":
            code, number = report["code"], report.get("signal", 0)
            message = report.get("message", "")
            return Exited(uid, at, report["container"], code, number, message)
        case "executed":
            return Executed(uid, at, report["id"], report["code"], report.get("message", ""))
        case "gone":
            return Gone(uid, at)
        case other:
            raise RuntimeFailed(f'the runtime tells of "{other}", which it should not')
