"""A small API server's memory: objects, uids, resource versions, preconditions, watch history.

Stored manifests are never changed in place: a write replaces what it changes and shares the rest,
so that a copy of the whole world costs as much as copying its index.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from mpijob.cluster import defaults, update
from mpijob.cluster.checks import (
    metadata_of_new,
    named,
    require,
    require_for_deletion,
    require_some_version,
    served,
)
from mpijob.cluster.history import Change, ChangeType, Snapshot, ref_of, snapshot_of
from mpijob.cluster.immutable import identity_problems, problems
from mpijob.cluster.job_rules import status_problems
from mpijob.cluster.kinds import RESOURCES, qualified
from mpijob.cluster.merge import merge_patch
from mpijob.cluster.refusals import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
)
from mpijob.cluster.times import stamp
from mpijob.core.job import Manifest, Problem
from mpijob.core.plan import Kind, Ref

__all__ = [
    "AlreadyExists",
    "BadRequest",
    "Change",
    "ChangeType",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "Refused",
    "Snapshot",
    "Store",
    "ref_of",
    "snapshot_of",
]

Admit = Callable[[Manifest], tuple[Problem, ...]]


def _anything_goes(_: Manifest) -> tuple[Problem, ...]:
    return ()


class Store:
    """The objects of one cluster, and every change that was made to them.

    Deterministic: the clock (`now`, UTC, whole seconds), uids and suffixes of names are arguments.
    Every method does all it says or raises Refused and does nothing.
    """

    def __init__(self, *, admit: Admit = _anything_goes) -> None:
        """Start empty. `admit` says what is wrong with an object that is created or rewritten."""
        self._admit = admit
        self._objects: dict[Kind, dict[tuple[str, str], Manifest]] = {
            kind: {} for kind in RESOURCES
        }
        self._lists: dict[tuple[Kind, str], tuple[Manifest, ...]] = {}
        self._changes: list[Change] = []
        self._base = 0
        self.version = 0

    # Reading.

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object at `ref`, or None."""
        return self._objects[ref.kind].get((ref.namespace, ref.name))

    def list(self, kind: Kind, namespace: str = "") -> tuple[Manifest, ...]:
        """Return the objects of a kind by namespace and name; "" for every namespace."""
        rows = self._objects[kind]
        if not rows:
            return ()
        found = self._lists.get((kind, namespace))
        if found is None:
            keys = [key for key in rows if key[0] == namespace] if namespace else rows
            found = tuple([rows[key] for key in sorted(keys)])
            self._lists[kind, namespace] = found
        return found

    def changes(self, since: int) -> Sequence[Change]:
        """Return what was written after version `since`, in order. Raises Gone where trimmed."""
        if since < self._base:
            raise Gone(f"too old resource version: {since} ({self._base})")
        return self._changes[since - self._base :]

    def as_of(self, kind: Kind, version: int) -> Mapping[tuple[str, str], Manifest]:
        """Return a kind's objects by namespace and name as they were at `version`.

        Costs as much as was written since: views of the past that lag a little are cheap.

        Raises:
            Gone: That part of the history was trimmed.
        """
        past = dict(self._objects[kind])
        for change in reversed(self.changes(version)):
            if change.ref.kind is not kind:
                continue
            key = (change.ref.namespace, change.ref.name)
            if change.previous is None:
                del past[key]
            else:
                past[key] = change.previous
        return past

    # Writing.

    def create(self, manifest: Manifest, *, now: datetime, uid: str, suffix: str = "") -> Manifest:
        """Store a new object and return it as stored: defaulted, versioned, with uid and time.

        `suffix` completes `metadata.generateName` where there is no name.

        Raises:
            AlreadyExists: The name is taken.
            Invalid: The object breaks rules.
        """
        resource = served(manifest)
        metadata = metadata_of_new(resource, manifest, suffix)
        metadata |= {"uid": uid, "creationTimestamp": stamp(now)}
        if resource.has_generation:
            metadata["generation"] = 1
        new: dict[str, Any] = {**manifest, "metadata": metadata}
        if resource.has_status and not resource.keeps_status:
            new.pop("status", None)
        ref = Ref(resource.kind, metadata.get("namespace", ""), metadata["name"])
        priorities = self._objects[Kind.PRIORITY_CLASS].values()
        stored = defaults.created(resource.kind, new, priorities)
        self._admitted(ref, stored, self._admit(stored))
        if (namesake := self.get(ref)) is not None:
            going = "object is being deleted: " * ("deletionTimestamp" in namesake["metadata"])
            raise AlreadyExists(f"{going}{named(ref, manifest)} already exists")
        return self._put(ChangeType.ADDED, ref, stored, now)

    def patch(
        self,
        ref: Ref,
        fields: Manifest,
        *,
        now: datetime,
        version: str = "",
        uid: str = "",
        subresource: str = "",
    ) -> Manifest:
        """Merge `fields` into an object (RFC 7386) and return it; no change, no new version.

        With `subresource="status"` only the status changes; without, all but the status.

        Raises:
            NotFound: There is no such object.
            Conflict: It is not at `version`, or does not have that `uid`.
            Invalid: The change is not allowed; nor is another uid among the `fields`.
        """
        old = self._found(ref)
        require(ref, old, uid=uid, version=version)
        return self._rewrite(ref, old, merge_patch(old, fields), now, subresource)

    def replace(self, manifest: Manifest, *, now: datetime, subresource: str = "") -> Manifest:
        """Put `manifest` in an object's place and return it as stored; see `patch`.

        Where it bears a `resourceVersion` or a uid, the object must be at that one.
        """
        resource = served(manifest)
        metadata = manifest["metadata"]
        ref = Ref(resource.kind, metadata.get("namespace", ""), metadata.get("name", ""))
        old = self._found(ref, manifest)
        require(ref, old, uid=metadata.get("uid", ""), version="")
        if resource.is_custom:
            require_some_version(resource, manifest)
        return self._rewrite(ref, old, manifest, now, subresource)

    def bind(self, ref: Ref, node: str, *, now: datetime) -> Manifest:
        """Assign a pod to a node, as the scheduler's binding does, and return it.

        Raises:
            Conflict: It has a node, is being deleted, or is held by scheduling gates.
        """
        old = self._found(ref)
        refusal = update.binding_refusal(old)
        if refusal:
            raise Conflict(f'Operation cannot be fulfilled on pods/binding "{ref.name}": {refusal}')
        status = update.scheduled_status(old.get("status", {}), stamp(now))
        bound = {**old, "spec": {**old["spec"], "nodeName": node}, "status": status}
        return self._put(ChangeType.MODIFIED, ref, bound, now)

    def delete(
        self,
        ref: Ref,
        *,
        now: datetime,
        uid: str = "",
        version: str = "",
        grace_s: int | None = None,
    ) -> Manifest | None:
        """Delete an object. Return it where it stays for now, being deleted; None where it is gone.

        It stays while it has finalizers. A pod that has a node and has not ended stays too, for
        `grace_s` or its own grace period: whoever runs it deletes it with a grace of 0 once its
        containers have ended.

        Raises:
            NotFound: There is no such object.
            Conflict: It does not have that `uid`, or is not at that `version`.
        """
        old = self._found(ref)
        require_for_deletion(ref, old, uid=uid, version=version)
        metadata = old["metadata"]
        is_pod, is_held = ref.kind is Kind.POD, bool(metadata.get("finalizers"))
        grace = update.grace_s(old, grace_s) if is_pod else 0
        if is_pod or is_held:
            # Watchers of pods see the end of the grace first, also where there was none.
            marked = update.marked_for_deletion(metadata, grace, now)
            if marked is not metadata:
                old = self._put(ChangeType.MODIFIED, ref, {**old, "metadata": marked}, now)
        if grace > 0 or is_held:
            return old
        self._put(ChangeType.DELETED, ref, old, now)
        return None

    # Keeping.

    def trim(self, upto: int) -> None:
        """Forget the changes up to and including version `upto`: who watches from there lists."""
        count = min(max(upto - self._base, 0), len(self._changes))
        del self._changes[:count]
        self._base += count

    def snapshot(self) -> Snapshot:
        """Return all there is, to go back to."""
        objects = {kind: dict(rows) for kind, rows in self._objects.items()}
        return Snapshot(self.version, objects, tuple(self._changes))

    @classmethod
    def restored(cls, snapshot: Snapshot, *, admit: Admit = _anything_goes) -> Self:
        """Return a store that goes on from `snapshot`, which is left as it is."""
        store = cls(admit=admit)
        for kind, rows in snapshot.objects.items():
            store._objects[kind] = dict(rows)
        store._changes = list(snapshot.changes)
        store._base = snapshot.version - len(snapshot.changes)
        store.version = snapshot.version
        return store

    # How it is done.

    def _found(self, ref: Ref, manifest: Manifest | None = None) -> Manifest:
        found = self.get(ref)
        if found is None:
            raise NotFound(f"{named(ref, manifest)} not found")
        return found

    def _admitted(self, ref: Ref, manifest: Manifest, problems: tuple[Problem, ...]) -> None:
        if problems:
            raise Invalid(qualified(ref.kind, manifest["apiVersion"]), ref.name, problems)

    def _rewrite(
        self, ref: Ref, old: Manifest, wanted: Manifest, now: datetime, subresource: str
    ) -> Manifest:
        metadata = wanted.get("metadata", {})
        require(ref, old, uid="", version=metadata.get("resourceVersion", ""))
        resource = RESOURCES[ref.kind]
        says_nothing = resource.is_custom and bool(subresource)
        faults = () if says_nothing else identity_problems(old["metadata"], metadata)
        if subresource == "status" and resource.has_status:
            new = update.with_status(old, wanted.get("status"))
        elif subresource:
            raise NotFound("the server could not find the requested resource")
        else:
            new = update.rewritten(resource, old, defaults.updated(ref.kind, wanted))
        if new == old and not faults:
            return old
        if not subresource:
            faults = (*self._admit(new), *faults, *problems(ref.kind, old, new))
        elif ref.kind is Kind.JOB:
            faults += tuple(status_problems(old, new))
        self._admitted(ref, new, faults)
        if update.is_released(new):
            # Watchers are told what was stored last, at the version of the deletion; who asked for
            # it what was written, at the version before.
            self._put(ChangeType.DELETED, ref, old, now)
            version = old["metadata"]["resourceVersion"]
            return {**new, "metadata": {**new["metadata"], "resourceVersion": version}}
        return self._put(ChangeType.MODIFIED, ref, new, now)

    def _put(self, change: ChangeType, ref: Ref, manifest: Manifest, now: datetime) -> Manifest:
        self.version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self.version)}
        stored = {**manifest, "metadata": metadata}
        rows, key = self._objects[ref.kind], (ref.namespace, ref.name)
        previous = rows.get(key)
        if change is ChangeType.DELETED:
            del rows[key]
        else:
            rows[key] = stored
        self._lists.pop((ref.kind, ""), None)
        self._lists.pop((ref.kind, ref.namespace), None)
        self._changes.append(Change(change, ref, stored, self.version, now, previous))
        return stored
