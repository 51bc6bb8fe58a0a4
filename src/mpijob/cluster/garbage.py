"""The garbage collector: an object whose owners are all gone goes too, in the background.

Source: `attemptToDeleteItem`, Kubernetes 1.36 (pkg/controller/garbagecollector).
"""

from datetime import datetime

from mpijob.cluster.kinds import RESOURCES
from mpijob.cluster.owners import owners
from mpijob.cluster.pod_facts import is_deleting
from mpijob.cluster.store import Change, ChangeType, Store, ref_of
from mpijob.core.job import Manifest
from mpijob.core.plan import Ref


def may_orphan(store: Store, change: Change) -> bool:
    """Say whether there may be orphans after a change: who owned has gone, or never was."""
    match change.type:
        case ChangeType.DELETED:
            return True
        case ChangeType.ADDED:
            return _is_orphaned(store, change.manifest)
        case ChangeType.MODIFIED:
            return False


def orphans(store: Store) -> tuple[Ref, ...]:
    """Return the objects that have owners of which none is there any longer, by kind and name.

    An owner is known by its uid: a namesake that came later owns nothing of what was there before.
    Objects that are being deleted already are left out.
    """
    return tuple(
        ref_of(manifest)
        for kind in RESOURCES
        for manifest in store.list(kind)
        if _is_orphaned(store, manifest)
    )


def collect(store: Store, *, now: datetime) -> int:
    """Delete every orphan, and what becomes one by that. Return how many were deleted."""
    count = 0
    while found := orphans(store):
        for ref in found:
            store.delete(ref, now=now)
        count += len(found)
    return count


def _is_orphaned(store: Store, manifest: Manifest) -> bool:
    references = owners(manifest)
    if not references or is_deleting(manifest):
        return False
    namespace = manifest["metadata"].get("namespace", "")
    return not any(_is_there(store, owner, namespace) for owner in references)


def _is_there(store: Store, owner: Manifest, namespace: str) -> bool:
    """Say whether an owner is there; one of a kind that we do not know of is taken to be."""
    resource = RESOURCES.get(owner["kind"])
    if resource is None:
        return True
    place = namespace if resource.namespaced else ""
    found = store.get(Ref(resource.kind, place, owner["name"]))
    return found is not None and found["metadata"]["uid"] == owner["uid"]
