"""What `doctor` asks a cluster; what this user may not see there is None."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from mpijob.core.job import Manifest
from mpijob.kube.apply import found, listed
from mpijob.kube.client import Client
from mpijob.ports import Forbidden

#: What a person needs: by what it is for, the group, resource and verbs of each right.
RIGHTS: Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "look at jobs": (
        ("kubeflow.org", "mpijobs", ("get", "list", "watch")),
        ("", "pods", ("get", "list", "watch")),
        ("batch", "jobs", ("list", "watch")),
    ),
    "read logs and events": (
        ("", "pods/log", ("get",)),
        ("", "events", ("list",)),
    ),
    "run and change jobs": (("kubeflow.org", "mpijobs", ("create", "patch", "delete")),),
}
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/mpi-operator"


class Seen(Struct, frozen=True):
    """A cluster as one user sees it.

    Args:
        version: The server's, such as v1.36.3.
        groups: The versions that are served of each API group, the preferred first.
        deployments: Those of all namespaces, or of the operator's own.
        leases: The operators' Leases, by namespace, as far as there are any; None: not to be seen.
        nodes: All of them.
        corefile: CoreDNS's configuration, "" where there is none.
        rights: Whether each right is there: verb, resource and what it is for.
        namespace: Where rights were asked for.
        now: The time of the look.

    """

    version: str
    groups: Mapping[str, tuple[str, ...]]
    now: datetime
    namespace: str = "default"
    deployments: tuple[Manifest, ...] | None = ()
    leases: Mapping[str, Manifest | None] | None = field(default_factory=dict)
    nodes: tuple[Manifest, ...] | None = ()
    corefile: str | None = ""
    rights: Mapping[tuple[str, str, str], bool] = field(default_factory=dict)


async def seen(client: Client, namespace: str, operator_namespace: str) -> Seen:
    """Ask a cluster for all of it. Raises Unreachable, Unknown."""
    version = json.loads(await client.request("GET", "/version"))["gitVersion"]
    listing = json.loads(await client.request("GET", "/apis"))
    deployments, nodes, corefile, rights = await asyncio.gather(
        _all(client, "/apis/apps/v1/deployments"),
        _all(client, "/api/v1/nodes"),
        _corefile(client),
        _rights(client, namespace),
    )
    where = {operator_namespace} | {d["metadata"]["namespace"] for d in deployments or ()}
    return Seen(
        version=version,
        groups={group["name"]: _versions(group) for group in listing["groups"]},
        now=datetime.now(UTC),
        namespace=namespace,
        deployments=deployments,
        leases=await _leases(client, sorted(where)),
        nodes=nodes,
        corefile=corefile,
        rights=rights,
    )


def _versions(group: Manifest) -> tuple[str, ...]:
    preferred = group["preferredVersion"]["version"]
    others = [row["version"] for row in group["versions"] if row["version"] != preferred]
    return (preferred, *others)


async def _all(client: Client, path: str) -> tuple[Manifest, ...] | None:
    try:
        return tuple([item async for item in listed(client, path)])
    except Forbidden:
        return None


async def _leases(client: Client, namespaces: list[str]) -> dict[str, Manifest | None] | None:
    try:
        each = await asyncio.gather(*(found(client, _LEASES.format(one)) for one in namespaces))
    except Forbidden:
        return None
    return {one: lease for one, lease in zip(namespaces, each, strict=True) if lease is not None}


async def _corefile(client: Client) -> str | None:
    try:
        there = await found(client, "/api/v1/namespaces/kube-system/configmaps/coredns")
    except Forbidden:
        return None
    return str(((there or {}).get("data") or {}).get("Corefile", ""))


async def _rights(client: Client, namespace: str) -> dict[tuple[str, str, str], bool]:
    asked = [
        (purpose, group, resource, verb)
        for purpose, rules in RIGHTS.items()
        for group, resource, verbs in rules
        for verb in verbs
    ]
    answers = await asyncio.gather(*(_may(client, namespace, *row[1:]) for row in asked))
    pairs = zip(asked, answers, strict=True)
    return {(purpose, resource, verb): may for (purpose, _, resource, verb), may in pairs}


async def _may(client: Client, namespace: str, group: str, resource: str, verb: str) -> bool:
    """Say whether the user may do that, as the server sees it."""
    name, _, part = resource.partition("/")
    attributes: dict[str, Any] = {"namespace": namespace, "group": group, "resource": name}
    attributes |= {"verb": verb} | ({"subresource": part} if part else {})
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.request("POST", _REVIEWS, body=json.dumps(review).encode())
    return bool(json.loads(answer)["status"].get("allowed"))
