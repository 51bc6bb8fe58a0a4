"""What this machine's kubelet and scheduler tell of a pod, as Kubernetes Events (core/v1)."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from mpijob.cluster.store import Store
from mpijob.cluster.times import stamp
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local.pod_life import Told

KUBELET = "kubelet"
SCHEDULER = "default-scheduler"


def announce(store: Store, pod: Manifest, told: Told, *, source: str, now: datetime) -> None:
    """Store the Event that tells `told` of a pod; told before, it is counted up.

    Source: client-go's `EventCorrelator`, for what is the same event.
    """
    metadata, at = pod["metadata"], stamp(now)
    said = "\0".join((metadata["uid"], told.reason, told.message)).encode()
    name = f"{metadata['name']}.{blake2b(said, digest_size=8).hexdigest()}"
    ref = Ref(Kind.EVENT, metadata["namespace"], name)
    known = store.get(ref)
    if known is not None:
        store.patch(ref, {"count": known["count"] + 1, "lastTimestamp": at}, now=now)
        return
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": ref.namespace, "name": name},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if told.warning else "Normal",
        "reason": told.reason,
        "message": told.message,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": source},
        "reportingComponent": source,
        "reportingInstance": "",
    }
    store.create(event, now=now, uid=f"{blake2b(said, digest_size=16).hexdigest()}")
