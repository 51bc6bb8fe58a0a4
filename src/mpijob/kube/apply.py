"""Objects of any kind brought to what a manifest says, as `kubectl apply --server-side` does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from mpijob.core.job import Manifest
from mpijob.kube.client import APPLY_PATCH, Client
from mpijob.kube.watch import Watch
from mpijob.ports import ChangeType, NotFound

#: Who owns the fields that we apply, as far as the server keeps count.
MANAGER = "mpijob"
DEFINITION = "CustomResourceDefinition"
#: Plurals that no rule gives, and kinds that belong to no namespace.
_PLURALS = {"NetworkPolicy": "networkpolicies"}
_CLUSTER_WIDE = ("Namespace", DEFINITION, "ClusterRole", "ClusterRoleBinding")
#: What a server writes into every object, whether anything of it changed or not.
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")

Body = dict[str, Any]


class Outcome(StrEnum):
    """What came of a manifest, as kubectl says it."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


def path_of(manifest: Manifest) -> str:
    """Return the path of an object on the server."""
    kind, version, metadata = manifest["kind"], manifest["apiVersion"], manifest["metadata"]
    root = "/api" if "/" not in version else "/apis"
    inside = "" if kind in _CLUSTER_WIDE else f"/namespaces/{metadata['namespace']}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    return f"{root}/{version}{inside}/{plural}/{metadata['name']}"


async def found(client: Client, path: str) -> Body | None:
    """Return the object at a path, or None where there is none."""
    try:
        return _decode(await client.request("GET", path))
    except NotFound:
        return None


async def apply(client: Client, manifest: Manifest, *, dry_run: bool = False) -> Outcome:
    """Bring an object to what the manifest says; say what came of it.

    Fields that the manifest names are ours from then on, whoever set them before; others are left.
    A definition is replaced whole: what another left in it, such as a conversion webhook, would
    live on beside what is said here.

    Raises:
        Refused, Conflict: The server says no.
        Unreachable: No answer came.

    """
    path = path_of(manifest)
    before = await found(client, path)
    query = {"dryRun": "All"} if dry_run else {}
    if manifest["kind"] == DEFINITION:
        after = await _replace(client, manifest, before, query)
    else:
        query |= {"fieldManager": MANAGER, "force": "true"}
        body = msgspec.json.encode(manifest)
        after = _decode(
            await client.request("PATCH", path, body=body, content_type=APPLY_PATCH, query=query)
        )
    if before is None:
        return Outcome.CREATED
    same = _telling(before) == _telling(after)
    return Outcome.UNCHANGED if same else Outcome.CONFIGURED


async def _replace(
    client: Client, manifest: Manifest, before: Body | None, query: Mapping[str, str]
) -> Body:
    path = path_of(manifest)
    if before is None:
        body, method, where = dict(manifest), "POST", path.rpartition("/")[0]
    else:
        kept = dict(before["metadata"])
        kept.pop("managedFields", None)
        labels = {**(kept.get("labels") or {}), **(manifest["metadata"].get("labels") or {})}
        body, method, where = {**manifest, "metadata": {**kept, "labels": labels}}, "PUT", path
    answer = await client.request(
        method, where, body=msgspec.json.encode(body), query={**query, "fieldManager": MANAGER}
    )
    return _decode(answer)


async def remove(client: Client, path: str) -> bool:
    """Delete the object at a path, in the background with all it owns; say whether it was there."""
    try:
        await client.request("DELETE", path, body=b'{"propagationPolicy":"Background"}')
    except NotFound:
        return False
    return True


async def listed(client: Client, path: str, selector: str = "") -> AsyncIterator[Body]:
    """Yield every object of a list, or those alone whose labels a selector finds."""
    more = ""
    narrowed = {"limit": "500", **({"labelSelector": selector} if selector else {})}
    while True:
        query = {**narrowed, **({"continue": more} if more else {})}
        page = _decode(await client.request("GET", path, query=query))
        for item in page.get("items") or ():
            yield item
        more = (page.get("metadata") or {}).get("continue") or ""
        if not more:
            return


async def until(
    client: Client, path: str, is_so: Callable[[Manifest], bool], timeout_s: float | None
) -> None:
    """Return once the object at a path is so; with `timeout_s`, it has so many seconds.

    Raises:
        TimeoutError: It was not for that long.
        NotFound: It was deleted meanwhile.

    """
    collection, _, name = path.rpartition("/")
    changes = Watch(client, collection, {"fieldSelector": f"metadata.name={name}"}).changes()
    async with asyncio.timeout(timeout_s):
        async for change in changes:
            if change.type is ChangeType.DELETED:
                raise NotFound(f"{path} was deleted meanwhile")
            if change.type is not ChangeType.SYNCED:
                told = change.manifest
                if is_so(_decode(told) if isinstance(told, bytes) else told):
                    return


async def until_gone(client: Client, path: str) -> None:
    """Return once there is no object at a path."""
    collection, _, name = path.rpartition("/")
    is_there = False
    watch = Watch(client, collection, {"fieldSelector": f"metadata.name={name}"})
    async for change in watch.changes():
        match change.type:
            case ChangeType.ADDED | ChangeType.MODIFIED:
                is_there = True
            case ChangeType.DELETED:
                return
            case ChangeType.SYNCED if not is_there:
                return


def established(definition: Manifest) -> bool:
    """Say whether the server serves the kind that a definition defines."""
    return _is_true(definition, "Established")


def rolled_out(deployment: Manifest) -> bool:
    """Say whether a Deployment's pods are all of its latest shape, and available."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = (status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "replicas"))
    return seen and all(count == wanted for count in counts)


def _is_true(manifest: Manifest, condition: str) -> bool:
    rows = (manifest.get("status") or {}).get("conditions") or ()
    return any((row["type"], row["status"]) == (condition, "True") for row in rows)


def _telling(manifest: Body) -> Body:
    """Return an object less what the server writes into it whether anything changed or not."""
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in _BOOKKEEPING}
    return {**manifest, "metadata": metadata}


def _decode(answer: bytes) -> Body:
    return msgspec.json.decode(answer, type=dict[str, Any])
