"""What may happen to a pod, one function each: it writes the status that the pod has then.

Every move is true to what kubelet, scheduler or pod collector would write. `pods` says when which
of them may happen.
"""

from collections.abc import Callable
from datetime import datetime

from mpijob.cluster.pod_facts import phase
from mpijob.cluster.pod_status import (
    ContainerStatus,
    Report,
    container_rows,
    running,
    status_of,
    terminated,
    waiting,
)
from mpijob.cluster.store import Store, ref_of
from mpijob.cluster.times import moment, stamp
from mpijob.core.job import Manifest

NODE = "node-0"
NODE_IP = "10.0.0.1"
POD_IP = "10.244.0.1"
BACK_OFF = "back-off restarting failed container"

#: A move: it acts on one stored pod, now.
Act = Callable[[Store, Manifest, datetime], None]


def next_init(pod: Manifest) -> ContainerStatus | None:
    """Return the first init container that has not ended well, or None."""
    rows = container_rows(pod, "initContainers")
    return next((row for row in rows if not row.ended_well), None)


def _write(store: Store, pod: Manifest, status: Manifest, now: datetime) -> None:
    store.replace({**pod, "status": status}, now=now, subresource="status")


def bind(store: Store, pod: Manifest, now: datetime) -> None:
    """Give a pod to the one node that the model has; `scheduler` chooses among several."""
    store.bind(ref_of(pod), NODE, now=now)


def delete(store: Store, pod: Manifest, now: datetime) -> None:
    """Ask for the deletion of a pod, as a user does."""
    store.delete(ref_of(pod), now=now, uid=pod["metadata"]["uid"])


def remove(store: Store, pod: Manifest, now: datetime) -> None:
    """Delete a pod with no grace, as its node does once its containers have ended."""
    store.delete(ref_of(pod), now=now, uid=pod["metadata"]["uid"], grace_s=0)


def accept(store: Store, pod: Manifest, now: datetime) -> None:
    """Let the node tell that it has seen the pod: every container waits."""
    report = Report(
        "Pending",
        container_rows(pod),
        container_rows(pod, "initContainers"),
        host_ip=NODE_IP,
    )
    _write(store, pod, status_of(pod, report, now), now)


def initialise(*, done: bool) -> Act:
    """Return the move that starts the next init container, or ends it well where `done`."""

    def act(store: Store, pod: Manifest, now: datetime) -> None:
        rows, chosen = container_rows(pod, "initContainers"), next_init(pod)
        new = tuple(_initialised(row, now, done=done) if row == chosen else row for row in rows)
        report = Report("Pending", container_rows(pod), new)
        _write(store, pod, status_of(pod, report, now), now)

    return act


def _initialised(row: ContainerStatus, now: datetime, *, done: bool) -> ContainerStatus:
    return row.now(_ended(row, 0, now), ready=True) if done else _started(row, now)


def _ended(
    row: ContainerStatus, exit_code: int, now: datetime, reason: str = "", message: str = ""
) -> Manifest:
    since = row.state.get("running", {}).get("startedAt")
    started_at = moment(since) if since else None
    return terminated(
        exit_code, finished_at=now, started_at=started_at, reason=reason, message=message
    )


def _with_rows(
    pod: Manifest, phase: str, rows: tuple[ContainerStatus, ...], now: datetime, **told: str
) -> Manifest:
    report = Report(phase, rows, container_rows(pod, "initContainers"), **told)
    return status_of(pod, report, now)


def run(store: Store, pod: Manifest, now: datetime) -> None:
    """Start what waits; a container that has ended before is started again, and counted."""
    rows = tuple(
        row if "waiting" not in row.state else _started(row, now) for row in container_rows(pod)
    )
    _write(store, pod, _with_rows(pod, "Running", rows, now, pod_ip=POD_IP), now)


def _started(row: ContainerStatus, now: datetime) -> ContainerStatus:
    return row.again(running(now), row.restart_count + bool(row.last_state))


def make_ready(store: Store, pod: Manifest, now: datetime) -> None:
    """Make every container ready, and the pod by that."""
    rows = tuple(row.now(row.state, ready=True) for row in container_rows(pod))
    _write(store, pod, _with_rows(pod, "Running", rows, now), now)


def stop(phase: str, exit_code: int, *, reason: str = "", message: str = "") -> Act:
    """Return the move that ends every container with that code, and the pod in that phase."""

    def act(store: Store, pod: Manifest, now: datetime) -> None:
        rows = tuple(
            row if "terminated" in row.state else row.now(_ended(row, exit_code, now))
            for row in container_rows(pod)
        )
        status = _with_rows(pod, phase, rows, now, reason=reason, message=message)
        _write(store, pod, status, now)

    return act


def break_down(exit_code: int, reason: str = "") -> Act:
    """Return the move that ends containers badly: the pod fails, or starts them again."""

    def act(store: Store, pod: Manifest, now: datetime) -> None:
        rows = container_rows(pod)
        ended = tuple(row.now(_ended(row, exit_code, now, reason)) for row in rows)
        if pod["spec"].get("restartPolicy") == "Never":
            _write(store, pod, _with_rows(pod, "Failed", ended, now), now)
            return
        again = tuple(
            row.again(waiting("CrashLoopBackOff", BACK_OFF), row.restart_count) for row in ended
        )
        _write(store, pod, _with_rows(pod, "Running", again, now), now)

    return act


def break_init(store: Store, pod: Manifest, now: datetime) -> None:
    """End the init container that runs badly: the pod fails, or starts it again."""
    rows, chosen = container_rows(pod, "initContainers"), next_init(pod)
    fails = pod["spec"].get("restartPolicy") == "Never"
    new = tuple(_broken(row, now, again=not fails) if row == chosen else row for row in rows)
    report = Report("Failed" if fails else "Pending", container_rows(pod), new)
    _write(store, pod, status_of(pod, report, now), now)


def _broken(row: ContainerStatus, now: datetime, *, again: bool) -> ContainerStatus:
    ended = row.now(_ended(row, 1, now))
    if not again:
        return ended
    return ended.again(waiting("CrashLoopBackOff", BACK_OFF), row.restart_count)


def refuse_image(store: Store, pod: Manifest, now: datetime) -> None:
    """Let the images of what waits be out of reach for now."""
    rows = tuple(
        row.now(waiting("ImagePullBackOff", f'Back-off pulling image "{row.image}"'))
        if "waiting" in row.state
        else row
        for row in container_rows(pod)
    )
    _write(store, pod, _with_rows(pod, phase(pod), rows, now), now)


def fail_unseen(reason: str, message: str) -> Act:
    """Return the move of who collects pods that no node answers for: failed, then removed."""

    def act(store: Store, pod: Manifest, now: datetime) -> None:
        rows = pod["status"].get("conditions") or ()
        disrupted = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastTransitionTime": stamp(now),
            "reason": reason,
            "message": message,
        }
        kept = [row for row in rows if row["type"] != "DisruptionTarget"]
        conditions = [*kept, disrupted] if reason else kept
        status = {**pod["status"], "phase": "Failed", "conditions": conditions}
        _write(store, pod, status, now)
        remove(store, pod, now)

    return act
