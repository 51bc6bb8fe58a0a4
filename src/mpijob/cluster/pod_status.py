"""The status of a pod as a kubelet writes it, from the states of its containers.

Source: `generateAPIPodStatus` and the conditions' builders, Kubernetes 1.36 (pkg/kubelet).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mpijob.cluster.pod_facts import ENDED
from mpijob.cluster.times import stamp
from mpijob.core.job import Manifest

#: The exit codes of a process that was ended by SIGTERM and by SIGKILL.
TERMINATED = 143
KILLED = 137
#: What a kubelet's report leaves as it was, unless it says otherwise.
KEPT = ("qosClass", "podIP", "podIPs", "hostIP", "hostIPs")
#: Whether a condition holds, why, and what there is to say of it.
Told = tuple[bool, str, str]


def waiting(reason: str = "ContainerCreating", message: str = "") -> Manifest:
    """Return the state of a container that does not run yet, or not at the moment."""
    told = {"reason": reason, "message": message} if message else {"reason": reason}
    return {"waiting": told}


def running(started_at: datetime) -> Manifest:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": stamp(started_at)}}


def terminated(
    exit_code: int,
    *,
    finished_at: datetime,
    started_at: datetime | None = None,
    reason: str = "",
    message: str = "",
) -> Manifest:
    """Return the state of a container that has ended. `reason` follows from the code if not given.

    `message` is the container's last word: its termination message, or the end of its log.
    """
    told: dict[str, Any] = {
        "exitCode": exit_code,
        "reason": reason or ("Completed" if exit_code == 0 else "Error"),
        "startedAt": stamp(started_at or finished_at),
        "finishedAt": stamp(finished_at),
    }
    return {"terminated": told | ({"message": message} if message else {})}


class ContainerStatus(Struct, frozen=True):
    """One row of a pod's container statuses. `state` is what `waiting` and its kin return."""

    name: str
    image: str
    state: Manifest
    last_state: Manifest
    ready: bool = False
    restart_count: int = 0

    @property
    def manifest(self) -> Manifest:
        """The row as it is written."""
        fields: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restart_count,
            "state": self.state,
            "lastState": self.last_state,
        }
        return fields

    @property
    def ended_well(self) -> bool:
        """Whether the container has ended with exit code 0."""
        return "terminated" in self.state and self.state["terminated"]["exitCode"] == 0

    def now(self, state: Manifest, *, ready: bool = False) -> "ContainerStatus":
        """Return the row of the same container in another state."""
        return replace(self, state=state, ready=ready)

    def again(self, state: Manifest, restart_count: int) -> "ContainerStatus":
        """Return the row of a container that is started again, with its former end kept."""
        last = self.state if "terminated" in self.state else self.last_state
        return replace(self, state=state, last_state=last, ready=False, restart_count=restart_count)


def container_rows(pod: Manifest, key: str = "containers") -> tuple[ContainerStatus, ...]:
    """Return the rows of a pod's containers, or of its `initContainers`, as its status tells.

    A container of which nothing is told waits: for the init containers, where there are any.
    """
    told = "containerStatuses" if key == "containers" else "initContainerStatuses"
    rows = {row["name"]: row for row in pod.get("status", {}).get(told) or ()}
    reason = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
    return tuple(
        _row(container, rows.get(container["name"], {}), reason)
        for container in pod["spec"].get(key) or ()
    )


def _row(container: Manifest, told: Manifest, reason: str) -> ContainerStatus:
    return ContainerStatus(
        name=container["name"],
        image=container.get("image", ""),
        state=told.get("state") or waiting(reason),
        last_state=told.get("lastState") or {},
        ready=told.get("ready", False),
        restart_count=told.get("restartCount", 0),
    )


class Report(Struct, frozen=True):
    """What a kubelet has to tell of a pod: its phase and containers, and where it is."""

    phase: str
    containers: Sequence[ContainerStatus]
    init_containers: Sequence[ContainerStatus] = ()
    reason: str = ""
    message: str = ""
    pod_ip: str = ""
    host_ip: str = ""


def status_of(pod: Manifest, report: Report, now: datetime) -> Manifest:
    """Return the status of `pod` that says what `report` does.

    Conditions that stay as they are keep their times, and those that are not the kubelet's stay.
    """
    old = pod.get("status", {})
    status: dict[str, Any] = {name: old[name] for name in KEPT if name in old}
    status |= {
        "phase": report.phase,
        "conditions": _conditions(pod, report, now),
        "startTime": old.get("startTime", stamp(now)),
        "containerStatuses": [row.manifest for row in report.containers],
    }
    if report.init_containers:
        status["initContainerStatuses"] = [row.manifest for row in report.init_containers]
    for name, ip in (("podIP", report.pod_ip), ("hostIP", report.host_ip)):
        if ip:
            status |= {name: ip, f"{name}s": [{"ip": ip}]}
    for name, text in (("reason", report.reason), ("message", report.message)):
        if text:
            status[name] = text
    return status


def _conditions(pod: Manifest, report: Report, now: datetime) -> list[Manifest]:
    ready = _readiness(report)
    of_kubelet: dict[str, Told] = {
        "PodReadyToStartContainers": (report.phase not in ENDED, "", ""),
        "Initialized": _initialisation(report),
        "Ready": ready,
        "ContainersReady": ready,
    }
    before = {row["type"]: row for row in pod.get("status", {}).get("conditions") or ()}
    at = stamp(now)
    rows = [_condition(type_, told, before.get(type_), at) for type_, told in of_kubelet.items()]
    return [*rows, *(row for type_, row in before.items() if type_ not in of_kubelet)]


def _condition(type_: str, told: Told, was: Manifest | None, at: str) -> Manifest:
    true, reason, message = told
    status = "True" if true else "False"
    if was is not None and was["status"] == status:
        at = was["lastTransitionTime"]
    row = {"type": type_, "status": status, "lastProbeTime": None, "lastTransitionTime": at}
    if reason:
        row["reason"] = reason
    if message:
        row["message"] = message
    return row


def _initialisation(report: Report) -> Told:
    left = [row.name for row in report.init_containers if not row.ended_well]
    if report.phase == "Succeeded":
        return True, "PodCompleted", ""
    if left:
        message = f"containers with incomplete status: [{' '.join(left)}]"
        return False, "ContainersNotInitialized", message
    return True, "", ""


def _readiness(report: Report) -> Told:
    if report.phase == "Succeeded":
        return False, "PodCompleted", ""
    if report.phase == "Failed":
        return False, "PodFailed", ""
    left = [row.name for row in report.containers if not row.ready]
    if left:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(left)}]"
    return True, "", ""
