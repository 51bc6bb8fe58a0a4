"""What any object says of itself, whatever its kind; and several objects as one document."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref


def key_of(manifest: Manifest) -> tuple[str, str]:
    """Return an object's namespace and name, "" for what it does not say."""
    metadata = _metadata(manifest)
    return metadata.get("namespace") or "", metadata.get("name") or ""


def ref_of(manifest: Manifest) -> Ref:
    """Return the address of an object. Raises ValueError where its kind is not one of ours."""
    return Ref(Kind(manifest.get("kind", "")), *key_of(manifest))


def uid_of(manifest: Manifest) -> str:
    """Return an object's uid, "" before it is stored."""
    return _metadata(manifest).get("uid") or ""


def version_of(manifest: Manifest | bytes) -> str:
    """Return the resource version at which an object was read."""
    if isinstance(manifest, bytes):
        manifest = msgspec.json.decode(manifest, type=dict[str, Any])
    return _metadata(manifest).get("resourceVersion") or ""


def order_of(version: str) -> int:
    """Return a number that grows with the version of a server's objects.

    Source: KEP-5504, comparable resource versions: they are decimal numbers. What is none comes
    first, and so is taken for old where it answers a write: then the watch tells it.
    """
    return int(version) if version.isdecimal() else 0


def labels_of(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's labels."""
    return _metadata(manifest).get("labels") or {}


def resource_name(manifest: Manifest) -> str:
    """Return an object's kind and name as `kubectl -o name` prints them: `mpijob.kubeflow.org/pi`.

    Kinds of the core group have none in their name: `pod/pi-worker-0`.
    """
    group, slash, _ = manifest.get("apiVersion", "").partition("/")
    kind = str(manifest.get("kind", "")).lower()
    return f"{kind}.{group}/{key_of(manifest)[1]}" if slash else f"{kind}/{key_of(manifest)[1]}"


def as_list(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Return several objects as Kubernetes wraps them into one document."""
    return {"apiVersion": "v1", "kind": "List", "items": list(manifests)}


def renamed(manifest: Manifest, *, name: str = "", namespace: str = "") -> dict[str, Any]:
    """Return `manifest` under another name or in another namespace; "" leaves what it says.

    Metadata that is no mapping stays as it is, for those who say what is wrong with it.
    """
    if not isinstance(manifest.get("metadata", {}), Mapping):
        return dict(manifest)
    said = {"namespace": namespace, "name": name}
    metadata = {**_metadata(manifest), **{key: value for key, value in said.items() if value}}
    if name:
        metadata.pop("generateName", None)
    return {**manifest, "metadata": metadata}


def images_of(job: Manifest) -> list[str]:
    """Return the images that an MPIJob names, each once, the launcher's first."""
    replicas = (job.get("spec") or {}).get("mpiReplicaSpecs") or {}
    pods = [((role or {}).get("template") or {}).get("spec") or {} for role in replicas.values()]
    containers = [container for pod in pods for container in pod.get("containers") or ()]
    return list(dict.fromkeys(c["image"] for c in containers if c.get("image")))


def as_if_named(manifest: Manifest) -> Manifest:
    """Return a manifest that has a name: one that only says `generateName` gets five letters more.

    The rules for names hold for the name that the server will draw, too.
    """
    metadata = _metadata(manifest)
    prefix = metadata.get("generateName")
    if metadata.get("name") or not isinstance(prefix, str) or not prefix:
        return manifest
    return renamed(manifest, name=f"{prefix}xxxxx")


def _metadata(manifest: Manifest) -> Mapping[str, Any]:
    found = manifest.get("metadata")
    return found if isinstance(found, Mapping) else {}
