"""This machine as a node, and which pods it takes: CPUs, memory, and GPUs one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.scheduler import Held, Placed, held_status, place, requests
from mpijob.cluster.store import Store, ref_of
from mpijob.core import options
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.local.announcements import SCHEDULER, announce
from mpijob.local.pod_life import Told

GPU = "nvidia.com/gpu"
#: On a pod: which of the machine's GPUs are its own, as CUDA_VISIBLE_DEVICES spells them.
DEVICES = f"{options.PREFIX}devices"
#: More than any machine has: what there is of CPUs and memory where they may be oversubscribed.
_PLENTY = "1E"


class Node(Struct, frozen=True):
    """What pods can have of this machine.

    Args:
        name: The node's name, which pods' `spec.nodeName` has: the machine's host name.
        cpus: How many CPUs there are, as a quantity.
        memory: How much memory there is, as a quantity.
        gpus: The GPUs, as CUDA_VISIBLE_DEVICES spells them.
        oversubscribe: Whether pods may ask for more CPUs and memory than there are.

    """

    name: str
    cpus: str
    memory: str
    gpus: tuple[str, ...] = ()
    oversubscribe: bool = False

    @property
    def capacity(self) -> Mapping[str, str]:
        """What there is, by resource."""
        return {"cpu": self.cpus, "memory": self.memory, GPU: str(len(self.gpus))}

    @property
    def manifest(self) -> Manifest:
        """The node as a scheduler sees it."""
        room = dict(self.capacity)
        if self.oversubscribe:
            room |= {"cpu": _PLENTY, "memory": _PLENTY, "ephemeral-storage": _PLENTY}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name},
            "status": {"capacity": dict(self.capacity), "allocatable": room},
        }


def bind_waiting(
    store: Store, node: Node, is_mine: Callable[[Manifest], bool], now: datetime
) -> int:
    """Bind the waiting pods that are mine and fit, hand out their GPUs; return how many.

    All jobs' pods on this machine take up room, so two supervisors never give the same twice: each
    decides inside a transaction.
    """
    count = 0
    for pod in _waiting(store, is_mine):
        answer = place(pod, [node.manifest], store.list(Kind.POD))
        match answer:
            case Placed(name):
                _hand_out(store, pod, node, now)
                store.bind(ref_of(pod), name, now=now)
                count += 1
            case Held(message):
                _hold(store, pod, message, now)
    return count


def devices_of(pod: Manifest) -> tuple[str, ...]:
    """Return the GPUs that were handed out to a pod."""
    text = (pod["metadata"].get("annotations") or {}).get(DEVICES, "")
    return tuple(device for device in text.split(",") if device)


def free_devices(gpus: Sequence[str], pods: Iterable[Manifest]) -> list[str]:
    """Return the GPUs that no pod has which has not ended."""
    taken = {device for pod in pods if phase(pod) not in ENDED for device in devices_of(pod)}
    return [device for device in gpus if device not in taken]


def _waiting(store: Store, is_mine: Callable[[Manifest], bool]) -> list[Manifest]:
    """Return the pods that have no node yet, the older first."""
    found = [
        pod
        for pod in store.list(Kind.POD)
        if not pod["spec"].get("nodeName")
        and not pod["spec"].get("schedulingGates")
        and phase(pod) not in ENDED
        and not is_deleting(pod)
        and is_mine(pod)
    ]
    return sorted(found, key=lambda pod: int(pod["metadata"]["resourceVersion"]))


def _hand_out(store: Store, pod: Manifest, node: Node, now: datetime) -> None:
    wanted = int(requests(pod).get(GPU, 0))
    if wanted:
        chosen = free_devices(node.gpus, store.list(Kind.POD))[:wanted]
        annotations = {DEVICES: ",".join(chosen)}
        store.patch(ref_of(pod), {"metadata": {"annotations": annotations}}, now=now)


def _hold(store: Store, pod: Manifest, message: str, now: datetime) -> None:
    status = held_status(pod, message, now)
    if status != pod.get("status"):
        store.replace({**pod, "status": status}, now=now, subresource="status")
        told = Told("FailedScheduling", message, warning=True)
        announce(store, pod, told, source=SCHEDULER, now=now)
