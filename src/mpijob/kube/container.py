"""What a pod's status tells of one of its containers."""

from collections.abc import Iterator

from mpijob.core.job import Manifest

_ENDED = ("Succeeded", "Failed")


def has_begun(pod: Manifest, container: str) -> bool:
    """Say whether a container runs or has run, or its pod has ended."""
    rows = _rows(pod, container)
    return _is_over(pod) or any(not row.get("state", {}).get("waiting") for row in rows)


def has_ended(pod: Manifest, container: str) -> bool:
    """Say whether a container's present run has ended, as that of every one whose pod has."""
    return _is_over(pod) or any(
        "terminated" in row.get("state", {}) for row in _rows(pod, container)
    )


def restarts(pod: Manifest, container: str) -> int:
    """Return how often a container was started anew."""
    return next((row.get("restartCount", 0) for row in _rows(pod, container)), 0)


def _is_over(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def _rows(pod: Manifest, container: str) -> Iterator[Manifest]:
    status = pod.get("status") or {}
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from (row for row in status.get(key) or () if row["name"] == container)
