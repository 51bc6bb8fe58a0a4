"""Announcements as Kubernetes Events (core/v1)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b

from msgspec import Struct

from mpijob.cluster.times import stamp
from mpijob.core import names
from mpijob.core.circumstances import Notice
from mpijob.core.job import Identity, Manifest
from mpijob.core.plan import Announce


def event(job: Identity, told: Announce, now: datetime) -> Manifest:
    """Return the Event that tells of `told` at `now` (UTC, to the second).

    Its name is drawn from what it says: told twice in one second, it is refused as a duplicate,
    which is what a lost answer calls for.

    Source: client-go's `EventRecorder`, for the fields that clients filter by.
    """
    at = stamp(now)
    said = "\0".join((job.uid, told.reason, told.message, at)).encode()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "namespace": job.key.namespace,
            "name": f"{job.key.name}.{blake2b(said, digest_size=8).hexdigest()}",
        },
        "involvedObject": {
            "apiVersion": job.api_version,
            "kind": "MPIJob",
            "namespace": job.key.namespace,
            "name": job.key.name,
            "uid": job.uid,
            "resourceVersion": job.version,
        },
        "type": "Warning" if told.warning else "Normal",
        "reason": told.reason,
        "message": told.message,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": names.EVENT_SOURCE},
        "reportingComponent": names.EVENT_SOURCE,
        "reportingInstance": "",
    }


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class EventView(Struct, frozen=True):
    """An Event as a reader sees it: about which object, what, and when it was told last."""

    namespace: str
    kind: str
    name: str
    reason: str
    message: str
    warning: bool = False
    count: int = 1
    at: datetime | None = None


def view(manifest: Manifest) -> EventView:
    """Return what an Event tells, of whoever made it: kubelets and schedulers tell too."""
    about = manifest.get("involvedObject") or {}
    at = manifest.get("lastTimestamp") or manifest.get("eventTime")
    at = at or (manifest.get("metadata") or {}).get("creationTimestamp")
    return EventView(
        namespace=about.get("namespace") or "",
        kind=about.get("kind") or "",
        name=about.get("name") or "",
        reason=manifest.get("reason") or "",
        message=(manifest.get("message") or "").strip(),
        warning=manifest.get("type") == "Warning",
        count=manifest.get("count") or 1,
        at=datetime.fromisoformat(at).astimezone(UTC) if at else None,
    )


def notice(manifest: Manifest) -> Notice:
    """Return what an Event tells, as far as it may explain why a job does not run."""
    seen = view(manifest)
    uid = (manifest.get("involvedObject") or {}).get("uid") or ""
    return Notice(seen.kind, seen.name, uid, seen.reason, seen.message, seen.at)


def in_order(events: Iterable[EventView]) -> list[EventView]:
    """Return events from the oldest to the newest; those of one second keep their order."""
    return sorted(events, key=lambda event: event.at or _LONG_AGO)


def concerns(event: EventView, namespace: str, job: str) -> bool:
    """Say whether an event is about a job or about an object that is named after it."""
    named = event.name == job or event.name.startswith((f"{job}-launcher", f"{job}-worker-"))
    return event.namespace == namespace and named
