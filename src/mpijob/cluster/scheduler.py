"""The scheduler: which node takes a pod, or why none does, in kube-scheduler's words.

It looks at resources (cpu, memory, devices: whatever nodes and pods name), nodeSelector, taints and
cordons. Knowingly left out: affinity, topology spread, ports, volumes and preemption; a pod that
asks for one of these is placed as if it had not.

Source: `FitError.Error` and the filter plugins, Kubernetes 1.36 (pkg/scheduler/framework).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from msgspec import Struct

from mpijob.cluster.pod_facts import ENDED, condition, is_deleting, phase
from mpijob.cluster.store import Store, ref_of
from mpijob.cluster.times import stamp
from mpijob.core import quantity
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind

HOSTNAME_LABEL = "kubernetes.io/hostname"
NO_NODES = "no nodes available to schedule pods"
NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NOTHING = Fraction(0)
NEVER_PREEMPTS = "not eligible due to preemptionPolicy=Never."

Amounts = Mapping[str, Fraction]


class Placed(Struct, frozen=True):
    """A node takes the pod."""

    node: str


class Held(Struct, frozen=True):
    """No node takes the pod, for the reasons that the message counts."""

    message: str


class _Refusal(Struct, frozen=True):
    """Why one node does not take a pod; `for_good` where no other pod's leaving would help."""

    reasons: tuple[str, ...]
    for_good: bool


def requests(pod: Manifest) -> Amounts:
    """Return what a pod asks for: its containers together, or its greediest moment before them.

    Init containers run one by one, but for those that are restarted always, which stay.

    Source: `PodRequests`, Kubernetes 1.36 (component-helpers, resource).
    """
    spec = pod["spec"]
    staying: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for container in spec.get("initContainers") or ():
        asked = _asked(container)
        if container.get("restartPolicy") == "Always":
            staying = _sum(staying, asked)
            asked = {}
        peak = _most(peak, _sum(staying, asked))
    running = staying
    for container in spec["containers"]:
        running = _sum(running, _asked(container))
    return _sum(_most(peak, running), _amounts(spec.get("overhead") or {}))


def place(pod: Manifest, nodes: Sequence[Manifest], pods: Iterable[Manifest]) -> Placed | Held:
    """Return the node that takes `pod`, the emptiest that can, or why none can.

    Args:
        pod: A pod that has no node yet.
        nodes: The nodes there are.
        pods: The pods there are; those on a node that have not ended take up room.
    """
    return place_beside(pod, nodes, taken_by(pods))


def place_beside(
    pod: Manifest, nodes: Sequence[Manifest], taken: Mapping[str, Amounts]
) -> Placed | Held:
    """Return what `place` does, from what is taken of each node already (see `taken_by`)."""
    if not nodes:
        return Held(NO_NODES)
    asked = requests(pod)
    open_nodes: list[tuple[Fraction, str]] = []
    refusals: list[_Refusal] = []
    for node in nodes:
        name = node["metadata"]["name"]
        room = _amounts(node.get("status", {}).get("allocatable") or {})
        used = taken.get(name, {})
        refusal = _unfit(pod, node) or _full(asked, room, used)
        if refusal is None:
            open_nodes.append((_fullness(room, used), name))
        else:
            refusals.append(refusal)
    return Placed(min(open_nodes)[1]) if open_nodes else Held(_told(pod, refusals))


def taken_by(pods: Iterable[Manifest]) -> dict[str, Amounts]:
    """Return what pods take of each node, by its name; those that have ended take nothing."""
    taken: dict[str, Amounts] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and phase(pod) not in ENDED:
            taken[node] = _with_pod(taken.get(node, {}), pod)
    return taken


def schedule(store: Store, *, now: datetime) -> int:
    """Bind every stored pod that a node takes; say of the others why not. Return how many bound.

    The more important come first, then the older.
    """
    nodes, pods = store.list(Kind.NODE), store.list(Kind.POD)
    taken, count = taken_by(pods), 0
    for pod in sorted(filter(_waits, pods), key=_turn):
        match place_beside(pod, nodes, taken):
            case Placed(node):
                store.bind(ref_of(pod), node, now=now)
                taken[node] = _with_pod(taken.get(node, {}), pod)
                count += 1
            case Held(message):
                status = held_status(pod, message, now)
                store.replace({**pod, "status": status}, now=now, subresource="status")
    return count


def held_status(pod: Manifest, message: str, now: datetime) -> Manifest:
    """Return the status of a pod that no node takes, and why: its condition PodScheduled."""
    was, status = condition(pod, "PodScheduled"), pod.get("status", {})
    kept = was is not None and was["status"] == "False" and was.get("lastTransitionTime")
    row = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": was["lastTransitionTime"] if was and kept else stamp(now),
    }
    others = [other for other in status.get("conditions") or () if other["type"] != row["type"]]
    return {**status, "conditions": [*others, row]}


def _waits(pod: Manifest) -> bool:
    spec = pod["spec"]
    held = spec.get("nodeName") or spec.get("schedulingGates") or is_deleting(pod)
    return not held and phase(pod) not in ENDED


def _turn(pod: Manifest) -> tuple[int, str, str, str]:
    metadata = pod["metadata"]
    importance: int = pod["spec"].get("priority") or 0
    return -importance, metadata["creationTimestamp"], metadata["namespace"], metadata["name"]


def _amounts(texts: Mapping[str, str]) -> dict[str, Fraction]:
    return {name: quantity.parse(text).amount for name, text in texts.items()}


def _asked(container: Manifest) -> dict[str, Fraction]:
    resources = container.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(one: Amounts, other: Amounts) -> dict[str, Fraction]:
    names = dict.fromkeys((*one, *other))
    return {name: one.get(name, Fraction(0)) + other.get(name, 0) for name in names}


def _most(one: Amounts, other: Amounts) -> dict[str, Fraction]:
    names = dict.fromkeys((*one, *other))
    return {name: max(one.get(name, Fraction(0)), other.get(name, Fraction(0))) for name in names}


def _with_pod(taken: Amounts, pod: Manifest) -> Amounts:
    return _sum(taken, {**requests(pod), "pods": Fraction(1)})


def _unfit(pod: Manifest, node: Manifest) -> _Refusal | None:
    """Return why a node does not take such a pod at all, or None."""
    spec = node.get("spec") or {}
    tolerations = pod["spec"].get("tolerations") or ()
    metadata = node["metadata"]
    labels = {HOSTNAME_LABEL: metadata["name"], **(metadata.get("labels") or {})}
    wanted = pod["spec"].get("nodeSelector") or {}
    if spec.get("unschedulable"):
        reason = "node(s) were unschedulable"
    elif any(not _is_tolerated(taint, tolerations) for taint in spec.get("taints") or ()):
        reason = "node(s) had untolerated taint(s)"
    elif any(labels.get(name) != value for name, value in wanted.items()):
        reason = "node(s) didn't match Pod's node affinity/selector"
    else:
        return None
    return _Refusal((reason,), for_good=True)


def _is_tolerated(taint: Manifest, tolerations: Iterable[Manifest]) -> bool:
    if taint.get("effect") == "PreferNoSchedule":
        return True
    return any(
        row.get("key", taint["key"]) == taint["key"]
        and row.get("effect") in (None, "", taint.get("effect"))
        and (row.get("operator") == "Exists" or row.get("value", "") == taint.get("value", ""))
        for row in tolerations
    )


def _full(asked: Amounts, room: Amounts, taken: Amounts) -> _Refusal | None:
    """Return what a node has too little of for a pod, or None. Nothing asked always fits."""
    reasons = []
    if "pods" in room and taken.get("pods", 0) + 1 > room["pods"]:
        reasons.append("Too many pods")
    short = [
        name for name, amount in asked.items() if amount > max(_free(name, room, taken), NOTHING)
    ]
    reasons += [f"Insufficient {name}" for name in short]
    if not reasons:
        return None
    return _Refusal(tuple(reasons), any(asked[name] > room.get(name, 0) for name in short))


def _free(name: str, room: Amounts, taken: Amounts) -> Fraction:
    return room.get(name, Fraction(0)) - taken.get(name, 0)


def _fullness(room: Amounts, taken: Amounts) -> Fraction:
    """Return how full a node is, 0 to 2: the parts of its cpu and memory that are taken."""
    names = [name for name in ("cpu", "memory") if room.get(name)]
    return sum((taken.get(name, Fraction(0)) / room[name] for name in names), Fraction(0))


def _told(pod: Manifest, refusals: Sequence[_Refusal]) -> str:
    reasons = Counter(reason for refusal in refusals for reason in refusal.reasons)
    none = f"0/{len(refusals)} nodes are available"
    if pod["spec"].get("preemptionPolicy") == "Never":
        preemption = NEVER_PREEMPTS
    else:
        tries = Counter(NOT_HELPFUL if row.for_good else NO_VICTIMS for row in refusals)
        preemption = f"{none}: {_counted(tries)}."
    told = f"{none}: {_counted(reasons)}."
    return f"{told} no new claims to deallocate, preemption: {preemption}"


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
