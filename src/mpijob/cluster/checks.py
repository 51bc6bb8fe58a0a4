"""What a server looks at before it does anything: is it served, named, and still as it was seen?"""

from typing import Any

from mpijob.cluster.kinds import RESOURCES, Resource, qualified, resource_of
from mpijob.cluster.refusals import BadRequest, Conflict, Invalid, NotFound
from mpijob.core.job import Manifest, Problem
from mpijob.core.plan import Ref

#: A generated name is cut here, so that five drawn letters fit into a DNS label.
GENERATED_PREFIX_LENGTH = 58
MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def served(manifest: Manifest) -> Resource:
    """Return the row of a manifest's kind. Raises NotFound where it is not served."""
    resource = resource_of(manifest)
    if resource is None:
        kind, version = manifest.get("kind", ""), manifest.get("apiVersion", "")
        raise NotFound(f'no matches for kind "{kind}" in version "{version}"')
    return resource


def named(ref: Ref, manifest: Manifest | None = None) -> str:
    """Return an object as messages name it: `jobs.batch "pi-launcher"`."""
    resource = RESOURCES[ref.kind]
    version = (manifest or {}).get("apiVersion", resource.api_versions[0])
    return f'{qualified(resource.plural, version)} "{ref.name}"'


def metadata_of_new(resource: Resource, manifest: Manifest, suffix: str) -> dict[str, Any]:
    """Return a new object's metadata with a name, and without what the server alone writes.

    Raises:
        BadRequest: It bears a version, or no namespace.
        Invalid: It has no name and no prefix to make one of.
    """
    metadata = dict(manifest.get("metadata") or {})
    if metadata.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    if not metadata.get("name"):
        prefix = metadata.get("generateName")
        if not prefix:
            problem = Problem("metadata.name", "Required value", "name or generateName is required")
            raise Invalid(qualified(resource.kind, manifest["apiVersion"]), "", (problem,))
        metadata["name"] = prefix[:GENERATED_PREFIX_LENGTH] + suffix
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        raise BadRequest("an empty namespace may not be set during creation")
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(name, None)
    return without_empty(metadata)


def without_empty(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as a server keeps it: what is empty is not there, but a number is."""
    return {name: value for name, value in metadata.items() if value or value == 0}


def require(ref: Ref, found: Manifest, *, uid: str, version: str) -> None:
    """Raise Conflict where an object to write does not have that uid and version; "" for any."""
    metadata = found["metadata"]
    if uid not in ("", metadata["uid"]):
        told = (
            f"Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {metadata['uid']}"
        )
    elif version not in ("", metadata["resourceVersion"]):
        told = MODIFIED
    else:
        return
    raise Conflict(f"Operation cannot be fulfilled on {named(ref, found)}: {told}")


def require_some_version(resource: Resource, manifest: Manifest) -> None:
    """Raise Invalid where a replacement does not say which version it replaces."""
    if not manifest["metadata"].get("resourceVersion"):
        name = qualified(resource.plural, manifest["apiVersion"])
        detail = "must be specified for an update"
        problem = Problem("metadata.resourceVersion", "Invalid value", detail, "0")
        raise Invalid(name, manifest["metadata"]["name"], (problem,))


def require_for_deletion(ref: Ref, found: Manifest, *, uid: str, version: str) -> None:
    """Raise Conflict where an object to delete does not have that uid and version; "" for any.

    Source: `BeforeDelete`, Kubernetes 1.36 (apiserver, pkg/registry/rest/delete.go).
    """
    metadata = found["metadata"]
    if uid not in ("", metadata["uid"]):
        what, wanted, has = "UID", uid, metadata["uid"]
        perhaps = "deleted and then recreated"
    elif version not in ("", metadata["resourceVersion"]):
        what, wanted, has = "ResourceVersion", version, metadata["resourceVersion"]
        perhaps = "modified"
    else:
        return
    kind = qualified(ref.kind, found["apiVersion"])
    raise Conflict(
        f'Operation cannot be fulfilled on {kind} "{ref.name}": the {what} in the precondition '
        f"({wanted}) does not match the {what} in record ({has}). "
        f"The object might have been {perhaps}"
    )
