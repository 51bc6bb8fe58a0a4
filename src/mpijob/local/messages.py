"""The messages between supervisor, runtime and keeper: JSON, one shape a class.

Only types stand here. The runtime never imports `typing`, which alone would take a tenth of the
time that a whole run may cost.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, NotRequired, TypedDict

    #: How pods run: with namespaces where they are allowed, always, or never.
    Mode = Literal["auto", "namespaces", "plain"]

    class MountMessage(TypedDict):
        """One mount of a pod; `runtime.Mount` on the wire."""

        target: str
        source: str
        tmpfs: bool
        read_only: bool
        private: bool
        size_bytes: int | None

    class ContainerMessage(TypedDict):
        """One container of a pod; `runtime.Container` on the wire."""

        name: str
        argv: list[str]
        env: dict[str, str]
        folder: str
        log: str
        uid: int | None
        gid: int | None
        groups: list[int]

    class PodMessage(TypedDict):
        """One pod; `runtime.Pod` on the wire."""

        uid: str
        name: str
        hostname: str
        folder: str
        init: list[ContainerMessage]
        containers: list[ContainerMessage]
        exec_container: str
        launcher: bool
        mounts: list[MountMessage]
        keep: list[str]
        hosts: str
        shm_size_bytes: int | None

    class SettingsMessage(TypedDict):
        """What the supervisor tells the runtime on its command line."""

        token: str
        home: str
        run_folder: str
        supervisor: int
        mode: Mode
        rsh_wait_s: float
        unknown_wait_s: float

    class Request(TypedDict):
        """What the supervisor asks of the runtime, and the runtime of a keeper."""

        do: Literal["start", "run", "stop", "exec", "expect", "attach", "kill"]
        uid: NotRequired[str]
        pod: NotRequired[PodMessage]
        container: NotRequired[str]
        grace_s: NotRequired[float]
        hosts: NotRequired[list[str]]
        id: NotRequired[str]
        argv: NotRequired[list[str]]
        log: NotRequired[str]
        line: NotRequired[str]

    class Report(TypedDict):
        """What a keeper tells the runtime, and the runtime the supervisor."""

        event: Literal[
            "ready", "created", "refused", "started", "exited", "executed", "gone", "failed"
        ]
        at: float
        uid: NotRequired[str]
        container: NotRequired[str]
        pid: NotRequired[int]
        code: NotRequired[int]
        signal: NotRequired[int]
        message: NotRequired[str]
        id: NotRequired[str]
        mode: NotRequired[str]
        shm_folder: NotRequired[str]
        openmpi_library: NotRequired[str]
