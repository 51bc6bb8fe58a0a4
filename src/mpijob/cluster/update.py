"""What becomes of an object that is written again, bound or asked to go.

Source: the strategies of Kubernetes 1.36 (pkg/registry).
"""

from datetime import datetime, timedelta

from mpijob.cluster.checks import without_empty
from mpijob.cluster.kinds import Resource
from mpijob.cluster.times import moment, stamp
from mpijob.core.job import Manifest

DEFAULT_GRACE_S = 30

#: What the server alone writes of an object's metadata; from a client it is passed over.
SERVER_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def with_status(old: Manifest, status: Manifest | None) -> Manifest:
    """Return `old` with that status and nothing else changed."""
    if status is None:
        return {key: value for key, value in old.items() if key != "status"}
    return {**old, "status": status}


def rewritten(resource: Resource, old: Manifest, wanted: Manifest) -> Manifest:
    """Return `wanted` with what a client has no say in put back as it was in `old`."""
    before = old["metadata"]
    metadata = {**wanted.get("metadata", {})}
    for name in SERVER_METADATA:
        if name in before:
            metadata[name] = before[name]
        else:
            metadata.pop(name, None)
    metadata = without_empty(metadata)
    new = {**wanted, "metadata": metadata}
    if resource.has_status:
        new = dict(with_status(new, old.get("status")))
    if resource.has_generation and _intent(new) != _intent(old):
        metadata["generation"] = before["generation"] + 1
    return new


def _intent(manifest: Manifest) -> Manifest:
    return {k: v for k, v in manifest.items() if k not in ("apiVersion", "metadata", "status")}


def is_released(manifest: Manifest) -> bool:
    """Say whether nothing holds an object any longer whose deletion was asked for."""
    metadata = manifest["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


def grace_s(pod: Manifest, wanted_s: int | None) -> int:
    """Return the seconds that a pod has to end once its deletion is asked for.

    A pod without a node has nothing to end, and one that has ended is done with.

    Source: `podStrategy.CheckGracefulDelete`, Kubernetes 1.36 (pkg/registry/core/pod).
    """
    spec = pod["spec"]
    if not spec.get("nodeName") or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    default_s: int = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_S)
    return max(default_s if wanted_s is None else wanted_s, 0)


def marked_for_deletion(metadata: Manifest, grace_s: int, now: datetime) -> Manifest:
    """Return metadata that says when the object goes. A grace is never made longer again.

    Source: `BeforeDelete`, Kubernetes 1.36 (apiserver, pkg/registry/rest/delete.go).
    """
    left_s: int | None = metadata.get("deletionGracePeriodSeconds")
    if left_s is None:
        at, generation = now, metadata.get("generation")
        grown = {} if generation is None else {"generation": generation + 1}
    elif grace_s >= left_s:
        return metadata
    else:
        at, grown = moment(metadata["deletionTimestamp"]) - timedelta(seconds=left_s), {}
    return {
        **metadata,
        **grown,
        "deletionTimestamp": stamp(at + timedelta(seconds=grace_s)),
        "deletionGracePeriodSeconds": grace_s,
    }


def binding_refusal(pod: Manifest) -> str:
    """Return why a pod cannot be bound to a node, or ""."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    if "deletionTimestamp" in pod["metadata"]:
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if spec.get("nodeName"):
        return f'pod {name} is already assigned to node "{spec["nodeName"]}"'
    if spec.get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def scheduled_status(status: Manifest, at: str) -> Manifest:
    """Return a pod's status with the condition that it has a node, since `at`."""
    others = [row for row in status.get("conditions", ()) if row["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}
    return {**status, "conditions": [*others, scheduled]}
