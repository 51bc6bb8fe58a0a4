"""The life of a pod as a table of stages: what may happen to a pod that is as it is, and what then.

Whoever plays the nodes draws a pod and one of its stages, and plays it. `LIFE` is what happens in
good weather: every pod comes to an end, or to rest. `FAULTS` is what may strike. The idea of stages
is KWOK's.
"""

from collections.abc import Callable

from msgspec import Struct

from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.pod_moves import (
    Act,
    accept,
    bind,
    break_down,
    break_init,
    delete,
    fail_unseen,
    initialise,
    make_ready,
    refuse_image,
    remove,
    run,
    stop,
)
from mpijob.cluster.pod_status import KILLED, TERMINATED
from mpijob.core.job import Manifest

EVICTED = "The node was low on resource: memory. "
NODE_GONE = "PodGC: node no longer exists"


class Stage(Struct, frozen=True):
    """One row of the table: what may happen, to which pods, and how.

    `play(store, pod, now)` lets it happen to a stored pod; it raises Refused where the pod has
    moved on since it was read.
    """

    name: str
    applies: Callable[[Manifest], bool]
    play: Act


def next_stage(pod: Manifest) -> Stage | None:
    """Return what happens to a pod next in good weather, or None where it rests."""
    for stage in LEAVING if is_deleting(pod) else _staying(pod):
        if stage.applies(pod):
            return stage
    return None


def _staying(pod: Manifest) -> tuple[Stage, ...]:
    """Return the rows that a pod's place in its life leaves, where nobody asked for its deletion.

    The whole table would tell the same, but it is asked of every pod at every move.
    """
    match phase(pod):
        case "Running":
            return RUNNING
        case "Pending" if not pod["spec"].get("nodeName"):
            return UNBOUND
        case "Pending":
            return SEEN if "containerStatuses" in pod["status"] else UNSEEN
    return ()


def stages(pod: Manifest, table: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return the rows of `table` that may happen to a pod now."""
    return tuple(stage for stage in table if stage.applies(pod))


def _is_unbound(pod: Manifest) -> bool:
    spec = pod["spec"]
    return not spec.get("nodeName") and not spec.get("schedulingGates") and not is_deleting(pod)


def _is_alive(pod: Manifest) -> bool:
    """Say whether a pod is on a node and has not ended."""
    return bool(pod["spec"].get("nodeName")) and phase(pod) not in ENDED


def _is_going_on(pod: Manifest) -> bool:
    return _is_alive(pod) and not is_deleting(pod)


def _is_seen(pod: Manifest) -> bool:
    return _is_going_on(pod) and "containerStatuses" in pod["status"]


def _is_new(pod: Manifest) -> bool:
    return _is_going_on(pod) and "containerStatuses" not in pod["status"]


def _inits(pod: Manifest, *, runs: bool) -> bool:
    if not _is_seen(pod):
        return False
    state = _pending_init(pod)
    return state is not None and ("running" in state) is runs


def _pending_init(pod: Manifest) -> Manifest | None:
    """Return the state of the first init container that has not ended well, or None.

    Read from the rows as they are: these questions are asked of every pod at every move.
    """
    for row in pod["status"].get("initContainerStatuses") or ():
        state: Manifest = row["state"]
        if "terminated" not in state or state["terminated"]["exitCode"] != 0:
            return state
    return None


def _may_run(pod: Manifest) -> bool:
    return _is_seen(pod) and _waits(pod) and _pending_init(pod) is None


def _waits(pod: Manifest) -> bool:
    return any("waiting" in row["state"] for row in pod["status"]["containerStatuses"])


def _is_running(pod: Manifest) -> bool:
    return _is_going_on(pod) and phase(pod) == "Running" and not _waits(pod)


def _is_unready(pod: Manifest) -> bool:
    return _is_running(pod) and not all(r["ready"] for r in pod["status"]["containerStatuses"])


def _is_told_to_end(pod: Manifest) -> bool:
    return _is_alive(pod) and is_deleting(pod)


def _is_left_over(pod: Manifest) -> bool:
    """Say whether a pod that was deleted has ended, and its node has yet to remove it."""
    grace_s = pod["metadata"].get("deletionGracePeriodSeconds")
    return is_deleting(pod) and phase(pod) in ENDED and bool(grace_s)


def _is_lost(pod: Manifest) -> bool:
    """Say whether a deleted pod has no node that could end it."""
    return is_deleting(pod) and not pod["spec"].get("nodeName") and phase(pod) not in ENDED


UNBOUND = (Stage("schedule", _is_unbound, bind),)
UNSEEN = (Stage("accept", _is_new, accept),)
STARTING = (
    Stage("start init container", lambda pod: _inits(pod, runs=False), initialise(done=False)),
    Stage("end init container", lambda pod: _inits(pod, runs=True), initialise(done=True)),
)
RUNNING = (
    Stage("run", _may_run, run),
    Stage("ready", _is_unready, make_ready),
)
SEEN = (*STARTING, *RUNNING)
LEAVING: tuple[Stage, ...] = (
    Stage("stop", _is_told_to_end, stop("Failed", TERMINATED)),
    Stage("remove", _is_left_over, remove),
    Stage("collect", _is_lost, fail_unseen("", "")),
)
LIFE = (*UNBOUND, *UNSEEN, *STARTING, *RUNNING, *LEAVING)
SUCCEED = Stage("succeed", _is_running, stop("Succeeded", 0))
STOP_WELL = Stage("stop well", _is_told_to_end, stop("Succeeded", 0))
FAIL = Stage("fail", _is_running, break_down(1))
FAULTS = (
    FAIL,
    Stage("run out of memory", _is_running, break_down(KILLED, "OOMKilled")),
    Stage("fail init container", lambda pod: _inits(pod, runs=True), break_init),
    Stage("image refused", _may_run, refuse_image),
    Stage("evict", _is_seen, stop("Failed", KILLED, reason="Evicted", message=EVICTED)),
    Stage("lose node", _is_alive, fail_unseen("DeletionByPodGC", NODE_GONE)),
    Stage("delete", lambda pod: not is_deleting(pod), delete),
)
