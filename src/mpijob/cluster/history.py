"""What a store tells of itself: its changes one by one, and all it holds at one version."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from mpijob.cluster.kinds import RESOURCES
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref


class ChangeType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Change(Struct, frozen=True):
    """One write: the object as it is at `version` (where DELETED: last was), and before."""

    type: ChangeType
    ref: Ref
    manifest: Manifest
    version: int
    at: datetime
    previous: Manifest | None = None


class Snapshot(Struct, frozen=True):
    """All that a store holds at one version, and the history that it still keeps."""

    version: int
    objects: Mapping[Kind, Mapping[tuple[str, str], Manifest]]
    changes: tuple[Change, ...] = ()


def ref_of(manifest: Manifest) -> Ref:
    """Return the address of a manifest of a known kind that has a name."""
    metadata = manifest["metadata"]
    kind = RESOURCES[manifest["kind"]].kind
    return Ref(kind, metadata.get("namespace", ""), metadata["name"])


def snapshot_of(version: int, manifests: Iterable[Manifest]) -> Snapshot:
    """Return the snapshot of these objects, as a journal that kept them would have it."""
    objects: dict[Kind, dict[tuple[str, str], Manifest]] = {kind: {} for kind in RESOURCES}
    for manifest in manifests:
        ref = ref_of(manifest)
        objects[ref.kind][ref.namespace, ref.name] = manifest
    return Snapshot(version, objects)
