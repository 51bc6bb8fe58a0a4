"""What a pod's manifest tells of how the pod is."""

from datetime import datetime, timedelta

from mpijob.cluster.times import moment
from mpijob.core.job import Manifest

ENDED = ("Succeeded", "Failed")


def phase(pod: Manifest) -> str:
    """Return a pod's phase; a pod that nobody has told anything of is Pending."""
    found: str = pod.get("status", {}).get("phase", "Pending")
    return found


def is_deleting(pod: Manifest) -> bool:
    """Say whether an object's deletion was asked for."""
    return "deletionTimestamp" in pod["metadata"]


def is_active(pod: Manifest) -> bool:
    """Say whether a pod has not ended and may go on."""
    return phase(pod) not in ENDED and not is_deleting(pod)


def is_terminating(pod: Manifest) -> bool:
    """Say whether a pod has been told to end and has not ended yet."""
    return phase(pod) not in ENDED and is_deleting(pod)


def condition(pod: Manifest, type_: str) -> Manifest | None:
    """Return the condition of that type, or None."""
    for row in pod.get("status", {}).get("conditions") or ():
        if row["type"] == type_:
            found: Manifest = row
            return found
    return None


def is_ready(pod: Manifest) -> bool:
    """Say whether a pod's condition Ready is true."""
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def restart_count(pod: Manifest) -> int:
    """Return how often containers of a pod, init containers too, were started again."""
    status = pod.get("status", {})
    rows = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return sum(row.get("restartCount", 0) for row in rows)


def ended_at(pod: Manifest) -> datetime:
    """Return when a pod ended, as well as its manifest tells.

    The last of its containers' ends, else when it ceased to be ready, else when its deletion was
    asked for, else its creation.

    Source: `getFinishedTime`, Kubernetes 1.36 (pkg/controller/job/backoff_utils.go).
    """
    rows = pod.get("status", {}).get("containerStatuses", ())
    ends = [row.get("state", {}).get("terminated", {}).get("finishedAt") for row in rows]
    if ends and all(ends):
        return max(moment(end) for end in ends)
    ready = condition(pod, "Ready")
    if ready is not None and ready["status"] == "False" and ready.get("lastTransitionTime"):
        return moment(ready["lastTransitionTime"])
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata:
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds", 0))
        return moment(metadata["deletionTimestamp"]) - grace
    return moment(metadata["creationTimestamp"])
