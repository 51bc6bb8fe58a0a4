"""What `doctor --cluster` makes of a cluster: each thing once, in the order in which one asks."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from mpijob.api.crd import STORED
from mpijob.cli.cluster_seen import RIGHTS, Seen
from mpijob.cli.render.checks import Check, Health
from mpijob.core.job import Manifest
from mpijob.core.quantity import parse
from mpijob.generate.rivals import rivals
from mpijob.generate.settings import SELECTOR, Installation

#: The first server whose definitions may have rules (CEL) and whose Jobs may change while they are
#: suspended, both without a switch.
_OLDEST = (1, 29)
_LEASE_S = 15
_UNSEEN = "not yours to see"
_QUEUES = {
    "kueue.x-k8s.io": "Kueue",
    "scheduling.volcano.sh": "Volcano",
    "scheduling.x-k8s.io": "scheduler-plugins",
}


def cluster_checkup(seen: Seen) -> Iterator[Check]:
    """Yield what was found of a cluster."""
    yield _server(seen)
    yield _definition(seen)
    yield from _operators(seen)
    yield _lease(seen)
    yield _rights(seen)
    yield from _nodes(seen)
    yield _queues(seen)
    yield _dns(seen)


def _server(seen: Seen) -> Check:
    numbers = re.match(r"v(\d+)\.(\d+)", seen.version)
    found = f"Kubernetes {seen.version}"
    if numbers and (int(numbers[1]), int(numbers[2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        advice = f"update it: jobs are checked by rules that servers know from {oldest} on"
        return Check("server", Health.POOR, f"{found}, older than {oldest}", advice)
    return Check("server", Health.WELL, found)


def _definition(seen: Seen) -> Check:
    served = seen.groups.get("kubeflow.org", ())
    if not served:
        advice = "put it and the operator there: mpijob install"
        return Check("definition", Health.BROKEN, "MPIJobs are not known", advice)
    found = f"MPIJobs as {', '.join(served)}; kubectl speaks of {served[0]}"
    if STORED not in served:
        advice = f"this mpijob speaks {STORED}: mpijob install brings it"
        return Check("definition", Health.BROKEN, found, advice)
    return Check("definition", Health.WELL, found)


def _operators(seen: Seen) -> Iterator[Check]:
    if seen.deployments is None:
        yield Check("operator", Health.WELL, f"its Deployment is {_UNSEEN}")
        return
    ours = [d for d in seen.deployments if _is_ours(d)]
    for manifest in ours:
        yield _ours(manifest)
    others = [manifest for manifest in seen.deployments if not _is_ours(manifest)]
    rest = list(rivals(others, Installation()))
    for rival in rest:
        if ours or len(rest) > 1:
            advice = f"two that act on one job undo each other's work: {rival.remedy}"
            yield Check("other operator", Health.POOR, str(rival), advice)
        else:
            yield Check("operator", Health.WELL, str(rival))
    if not (ours or rest):
        advice = "jobs wait until there is one: mpijob install"
        yield Check("operator", Health.BROKEN, "no Deployment of one was found", advice)


def _is_ours(deployment: Manifest) -> bool:
    return (deployment["metadata"].get("labels") or {}).items() >= SELECTOR.items()


def _ours(deployment: Manifest) -> Check:
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    place = f"{metadata['namespace']}/{metadata['name']}"
    wanted, ready = deployment["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    image = deployment["spec"]["template"]["spec"]["containers"][0].get("image", "")
    found = f"{place}, {ready} of {wanted} ready, {image}"
    if ready:
        return Check("operator", Health.WELL, found)
    advice = f"see what keeps it: kubectl -n {metadata['namespace']} describe deployment,pods"
    return Check("operator", Health.BROKEN, found, advice)


def _lease(seen: Seen) -> Check:
    if seen.leases is None:
        return Check("lease", Health.WELL, f"who leads is {_UNSEEN}")
    holders = [_holder(lease, seen.now) for lease in seen.leases.values() if lease is not None]
    alive = [told for told, is_alive in holders if is_alive]
    if alive:
        return Check("lease", Health.WELL, "; ".join(alive))
    advice = "no operator acts: see that its pods run, and their logs"
    told = "; ".join(told for told, _ in holders) or "nobody holds the Lease mpi-operator"
    return Check("lease", Health.BROKEN, told, advice)


def _holder(lease: Manifest, now: datetime) -> tuple[str, bool]:
    """Return who holds a Lease, in words, and whether they still do."""
    spec = lease.get("spec") or {}
    renewed, holder = spec.get("renewTime"), spec.get("holderIdentity")
    place = f"{lease['metadata']['namespace']}/{lease['metadata']['name']}"
    if not (renewed and holder):
        return f"{place} is held by nobody", False
    age_s = max((now - datetime.fromisoformat(renewed)).total_seconds(), 0.0)
    alive = age_s <= spec.get("leaseDurationSeconds", _LEASE_S)
    told = f"{place} is held by {holder.partition('_')[0]}, renewed {age_s:.0f} s ago"
    return told, alive


def _rights(seen: Seen) -> Check:
    lacking = [f"{verb} {resource}" for (_, resource, verb), may in seen.rights.items() if not may]
    place = f"in namespace {seen.namespace}"
    if not lacking:
        return Check("rights", Health.WELL, f"you may {', '.join(RIGHTS)} {place}")
    whole = [
        purpose
        for purpose in RIGHTS
        if all(may for (wanted, _, _), may in seen.rights.items() if wanted == purpose)
    ]
    may = f"you may {', '.join(whole)}, but not" if whole else "you may not"
    advice = "ask for Kubernetes' role `edit` there (`view` to look): kubectl create rolebinding"
    health = Health.POOR if whole else Health.BROKEN
    return Check("rights", health, f"{place} {may} {', '.join(lacking)}", advice)


def _nodes(seen: Seen) -> Iterator[Check]:
    if seen.nodes is None:
        yield Check("nodes", Health.WELL, _UNSEEN)
        return
    ready = [node for node in seen.nodes if _takes_pods(node)]
    rooms = [(node.get("status") or {}).get("allocatable") or {} for node in ready]
    found = f"{len(ready)} of {len(seen.nodes)} take pods: {_sum(rooms, 'cpu'):.0f} CPUs"
    if not ready:
        advice = "see why: kubectl describe nodes"
        yield Check("nodes", Health.BROKEN, f"none of {len(seen.nodes)} takes pods", advice)
    elif len(ready) < len(seen.nodes):
        yield Check("nodes", Health.POOR, found, "see the others: kubectl get nodes")
    else:
        yield Check("nodes", Health.WELL, found)
    devices = sorted({name for room in rooms for name in room if name.endswith("gpu")})
    told = ", ".join(f"{_sum(rooms, name):.0f} {name}" for name in devices)
    yield Check("gpus", Health.WELL, told or "none; jobs that ask for nvidia.com/gpu will wait")


def _takes_pods(node: Manifest) -> bool:
    rows = (node.get("status") or {}).get("conditions") or ()
    ready = any((row["type"], row["status"]) == ("Ready", "True") for row in rows)
    return ready and not (node.get("spec") or {}).get("unschedulable")


def _sum(rooms: Iterable[Manifest], name: str) -> float:
    return float(sum(parse(room[name]).amount for room in rooms if name in room))


def _queues(seen: Seen) -> Check:
    there = [title for group, title in _QUEUES.items() if group in seen.groups]
    found = ", ".join(there) or "none: every job is scheduled pod by pod"
    return Check("queues", Health.WELL, found)


def _dns(seen: Seen) -> Check:
    if seen.corefile is None:
        return Check("dns", Health.WELL, f"the cluster's domain is {_UNSEEN}")
    zones = re.search(r"^\s*kubernetes\s+([\w.-]+)", seen.corefile, re.MULTILINE)
    if zones is None:
        found = "CoreDNS's configuration was not found; cluster.local is taken for the domain"
        advice = "where it is another one: mpijob install --cluster-domain=DOMAIN"
        return Check("dns", Health.POOR, found, advice)
    domain = zones[1].rstrip(".")
    told = {_told_domain(d) for d in seen.deployments or () if _is_ours(d)} or {domain}
    if {one or "cluster.local" for one in told} == {domain}:
        return Check("dns", Health.WELL, f"the cluster's domain is {domain}")
    found = f"the cluster's domain is {domain}, and the operator takes it for another"
    return Check("dns", Health.BROKEN, found, f"mpijob install --cluster-domain={domain}")


def _told_domain(deployment: Manifest) -> str:
    words = deployment["spec"]["template"]["spec"]["containers"][0].get("args") or ()
    found = [word for word in words if word.startswith("--cluster-domain=")]
    return found[-1].partition("=")[2] if found else ""
