"""How the master does, as changes of pods tell."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mpijob.cluster.pod_facts import ENDED, phase
from mpijob.cluster.pod_phase import phase_of
from mpijob.cluster.pod_status import container_rows
from mpijob.core.job import Manifest
from mpijob.ports import Change, ChangeType


class Master(Struct, frozen=True):
    """What is known of the master.

    Args:
        seen: Whether its pod was there at any time.
        end: What it ended as; "" while it has not.

    """

    seen: bool = False
    end: str = ""


def after(known: Master, change: Change, name: str) -> Master:
    """Return what is known of the master of that name once a change of some pod was told.

    A master that was there and is gone has ended. One that was not yet there may come.
    """
    if change.type is ChangeType.SYNCED:
        return known
    pod = _decoded(change.manifest)
    if pod["metadata"]["name"] != name:
        return known
    if change.type is ChangeType.DELETED:
        return replace(known, seen=True, end=known.end or "Deleted")
    return Master(seen=True, end=_end_of(pod) or known.end)


async def followed(changes: AsyncIterator[Change], name: str) -> AsyncIterator[Master]:
    """Yield what is known of the master each time that something new is."""
    known = Master()
    async for change in changes:
        now = after(known, change, name)
        if now != known:
            known = now
            yield known


def _end_of(pod: Manifest) -> str:
    """Return the phase that a pod has ended in, "" while it goes on.

    A kubelet tells of its containers' ends first. The phase that they make follows once it has
    taken down what is left of the pod, and looked again: a second later.
    """
    if phase(pod) in ENDED:
        return phase(pod)
    rows = (container_rows(pod), container_rows(pod, "initContainers"))
    due = phase_of(*rows, pod["spec"].get("restartPolicy", "Always"))
    return due if due in ENDED else ""


def _decoded(manifest: Manifest | bytes) -> Manifest:
    if isinstance(manifest, bytes):
        return msgspec.json.decode(manifest, type=dict[str, Any])
    return manifest
