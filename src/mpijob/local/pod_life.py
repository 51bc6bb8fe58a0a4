"""One pod's life on this machine: what its runtime tells, and what is to be told and done for it.

Guarantees: whatever becomes of the pod's processes, its rows say so in the end, and `over` turns
true when none is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import assert_never

from msgspec import Struct

from mpijob.cluster.pod_facts import ENDED
from mpijob.cluster.pod_phase import FORGIVEN_AFTER_S, is_started_again, pause_s, phase_of
from mpijob.cluster.pod_status import (
    KILLED,
    ContainerStatus,
    Report,
    container_rows,
    running,
    terminated,
    waiting,
)
from mpijob.cluster.times import moment
from mpijob.core.job import Manifest, Role
from mpijob.local import runtime as rt
from mpijob.local.home import PodFolder
from mpijob.local.workload import MACHINE_ADDRESS, address_of, last_words, role_of


class Told(Struct, frozen=True):
    """Something that the pod's events are to say."""

    reason: str
    message: str
    warning: bool = False


class Hands(Struct, frozen=True):
    """What a life acts with: the runtime, and whom to tell that there is something to report."""

    runtime: rt.Runtime
    stir: Callable[[], None]


class PodLife:
    """The life of one pod, from its binding to the end of its last process."""

    def __init__(self, pod: Manifest, folder: PodFolder, hands: Hands) -> None:
        self.pod = pod
        self.folder = folder
        #: Whether the runtime was asked to make the pod.
        self.is_begun = False
        #: Whether no process of the pod is left, nor will there be one.
        self.is_over = False
        self.told: list[Told] = []
        self._hands = hands
        self._rows = {row.name: row for row in container_rows(pod)}
        self._inits = {row.name: row for row in container_rows(pod, "initContainers")}
        self._verdict: tuple[str, str, str] | None = None
        self._starts: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._grace_s: float | None = None
        self._has_address = False

    @property
    def uid(self) -> str:
        """The pod's uid, by which the runtime knows it."""
        uid: str = self.pod["metadata"]["uid"]
        return uid

    @property
    def is_launcher(self) -> bool:
        """Whether the pod runs mpirun."""
        return role_of(self.pod) is Role.LAUNCHER

    @property
    def report(self) -> Report:
        """What the pod's status is to say."""
        rows, inits = tuple(self._rows.values()), tuple(self._inits.values())
        address = address_of(self.pod) if self._has_address else ""
        policy = self.pod["spec"].get("restartPolicy", "Always")
        phase, reason, message = phase_of(rows, inits, policy), "", ""
        if self._verdict is not None:
            phase, reason, message = self._verdict
        elif self._grace_s is not None and self.is_over and phase not in ENDED:
            well = all(row.ended_well for row in rows)
            phase = "Succeeded" if well else "Failed"
        return Report(phase, rows, inits, reason, message, pod_ip=address, host_ip=MACHINE_ADDRESS)

    def begin(self, workload: rt.Pod) -> None:
        """Have the runtime make the pod."""
        self.is_begun = True
        self._hands.runtime.start(workload)
        limit_s = self.pod["spec"].get("activeDeadlineSeconds")
        if limit_s is not None:
            self._later(float(limit_s), self._expire)

    def hold(self, reason: str, message: str, container: str = "") -> None:
        """Say why the pod does not start yet, by the state of one container or of all."""
        for rows in (self._inits, self._rows):
            for name, row in rows.items():
                if container in ("", name):
                    rows[name] = row.now(waiting(reason, message))

    def fail(self, reason: str, message: str) -> None:
        """End the pod badly, for a reason that is not a container's."""
        if self._verdict is None and not self.is_over:
            self._verdict = "Failed", reason, message
            self.told.append(Told(reason, message, warning=True))
        self.end(0.0)

    def end(self, grace_s: float) -> None:
        """Have the pod end within `grace_s` seconds; again with less, sooner."""
        for timer in self._timers:
            timer.cancel()
        if self._grace_s is not None and self._grace_s <= grace_s:
            return
        self._grace_s = grace_s
        if self.is_begun and not self.is_over:
            self._hands.runtime.stop(self.uid, grace_s=grace_s)
        elif not self.is_begun:
            self._finish(datetime.now(UTC))

    def hear(self, event: rt.Event) -> None:
        """Take in what the runtime tells of this pod."""
        at = datetime.fromtimestamp(event.at, UTC).replace(microsecond=0)
        match event:
            case rt.Created():
                self._has_address = True
            case rt.Refused():
                self._verdict = "Failed", "FailedCreatePodSandBox", event.message
                self.told.append(Told("FailedCreatePodSandBox", event.message, warning=True))
            case rt.Started():
                self._started(event.container, at)
            case rt.Exited():
                self._exited(event, at)
            case rt.Gone():
                self._finish(at)
            case rt.Executed():
                pass
            case _:
                assert_never(event)

    def lose(self, message: str) -> None:
        """Take in that the pod's processes are gone with the runtime."""
        if not self.is_over:
            self._verdict = "Failed", "Lost", message
            self._finish(datetime.now(UTC).replace(microsecond=0))

    # How it is done.

    def _rows_with(self, name: str) -> dict[str, ContainerStatus]:
        return self._inits if name in self._inits else self._rows

    def _manifest(self, name: str) -> Manifest:
        spec = self.pod["spec"]
        every = (*(spec.get("initContainers") or ()), *spec["containers"])
        return next(container for container in every if container["name"] == name)

    def _started(self, name: str, at: datetime) -> None:
        rows, is_init = self._rows_with(name), name in self._inits
        row = rows[name]
        if "terminated" in row.state or row.last_state:
            row = row.again(running(at), row.restart_count + 1)
        rows[name] = row.now(running(at), ready=not is_init)

    def _exited(self, event: rt.Exited, at: datetime) -> None:
        name, rows = event.container, self._rows_with(event.container)
        log = self.folder.log(name, self._starts.get(name, 0))
        said = event.message or last_words(self._manifest(name), self.folder, log, event.code)
        reason = "StartError" if event.message else ""
        started = rows[name].state.get("running", {}).get("startedAt")
        since = moment(started) if started else at
        state = terminated(
            event.code, finished_at=at, started_at=since, reason=reason, message=said
        )
        is_init = name in self._inits
        rows[name] = rows[name].now(state, ready=is_init and event.code == 0)
        policy = self.pod["spec"].get("restartPolicy", "Always")
        ends = self._grace_s is not None or self._verdict is not None
        if not ends and is_started_again(event.code, policy, init=is_init):
            ran_s = (at - since).total_seconds()
            self._start_again(name, 0 if ran_s >= FORGIVEN_AFTER_S else None)
        elif not ends and self.report.phase in ENDED:
            # Nothing is left to run, so the rest of the pod may go.
            self._hands.runtime.stop(self.uid, grace_s=0.0)

    def _start_again(self, name: str, failures: int | None) -> None:
        count = self._failures.get(name, 0) if failures is None else failures
        self._failures[name] = count + 1
        delay_s = pause_s(count)
        if delay_s == 0.0:
            self._run(name)
            return
        rows, meta = self._rows_with(name), self.pod["metadata"]
        told = (
            f"back-off {delay_s:.0f}s restarting failed container={name} "
            f"pod={meta['name']}_{meta['namespace']}({self.uid})"
        )
        rows[name] = rows[name].again(waiting("CrashLoopBackOff", told), rows[name].restart_count)
        self.told.append(Told("BackOff", told, warning=True))
        self._later(delay_s, lambda: self._run(name))

    def _run(self, name: str) -> None:
        attempt = self._starts.get(name, 0) + 1
        self._starts[name] = attempt
        self._hands.runtime.run(self.uid, name, log=str(self.folder.log(name, attempt)))

    def _expire(self) -> None:
        told = "Pod was active on the node longer than the specified deadline"
        self._verdict = "Failed", "DeadlineExceeded", told
        self.told.append(Told("DeadlineExceeded", told, warning=True))
        self.end(float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        def acted() -> None:
            act()
            self._hands.stir()

        self._timers.append(asyncio.get_running_loop().call_later(delay_s, acted))

    def _finish(self, at: datetime) -> None:
        """No process of the pod is left: whatever row still says otherwise is put right."""
        if self.is_over:
            return
        self.is_over = True
        for timer in self._timers:
            timer.cancel()
        unasked = self._grace_s is None and self.report.phase not in ENDED
        if unasked and self._verdict is None:
            told = "the pod's processes were ended from outside of it"
            self._verdict = "Failed", "Killed", told
            self.told.append(Told("Killed", told, warning=True))
        for rows in (self._inits, self._rows):
            for name, row in rows.items():
                if "running" in row.state:
                    since = moment(row.state["running"]["startedAt"])
                    rows[name] = row.now(terminated(KILLED, finished_at=at, started_at=since))
        self.folder.shed()
