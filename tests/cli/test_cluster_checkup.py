"""What `doctor --cluster` makes of what it is told."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.cli.cluster_checkup import cluster_checkup
from mpijob.cli.cluster_seen import RIGHTS, Seen
from mpijob.cli.render.checks import Health
from mpijob.generate.settings import Installation
from mpijob.generate.workload import deployment

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WELL, POOR, BROKEN = Health.WELL, Health.POOR, Health.BROKEN
EVERY = [
    (p, resource, verb) for p, rules in RIGHTS.items() for _, resource, vs in rules for verb in vs
]


def operator(ready=2, **settings):
    return {**deployment(Installation(**settings)), "status": {"readyReplicas": ready}}


def rival(name):
    container = {"image": f"example.com/{name}:1"}
    return {
        "metadata": {"namespace": "kubeflow", "name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def lease(age_s=2.0, holder="pod-a_123"):
    at = (NOON - timedelta(seconds=age_s)).isoformat()
    spec = {"holderIdentity": holder, "renewTime": at, "leaseDurationSeconds": 15}
    return {"mpi-operator": {"metadata": {"namespace": "mpi-operator", "name": "it"}, "spec": spec}}


def node(ready="True", gpus=0):
    room = {"cpu": "1500m"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    return {
        "status": {"conditions": [{"type": "Ready", "status": ready}], "allocatable": room},
    }


def rights(*but):
    return {row: row[0] not in but for row in EVERY}


GOOD = Seen(
    version="v1.36.3",
    groups={"kubeflow.org": ("v2beta1",)},
    now=NOON,
    namespace="team",
    deployments=(operator(),),
    leases=lease(),
    nodes=(node(), node(gpus=8)),
    corefile=".:53 {\n    kubernetes cluster.local in-addr.arpa {\n    }\n}\n",
    rights=rights(),
)


def test_where_all_is_well_all_is_said_to_be():
    assert {check.health for check in cluster_checkup(GOOD)} == {WELL}


CASES = {
    "an old server": ({"version": "v1.28.4"}, "server", POOR, "older than 1.29"),
    "no definition": ({"groups": {}}, "definition", BROKEN, "not known"),
    "a definition of another version": (
        {"groups": {"kubeflow.org": ("v1",)}},
        "definition",
        BROKEN,
        "MPIJobs as v1",
    ),
    "no operator": ({"deployments": ()}, "operator", BROKEN, "no Deployment"),
    "an operator that is not ready": (
        {"deployments": (operator(0),)},
        "operator",
        BROKEN,
        "0 of 2 ready",
    ),
    "an operator of another make, alone": (
        {"deployments": (rival("mpi-operator"),)},
        "operator",
        WELL,
        "mpi-operator is at work",
    ),
    "two operators": (
        {"deployments": (operator(), rival("training-operator"))},
        "other operator",
        POOR,
        "training-operator is at work",
    ),
    "deployments that are not to be seen": ({"deployments": None}, "operator", WELL, "not yours"),
    "a holder that renews": ({}, "lease", WELL, "held by pod-a, renewed 2 s ago"),
    "a holder that does not": ({"leases": lease(60)}, "lease", BROKEN, "renewed 60 s ago"),
    "a Lease that was given back": ({"leases": lease(holder="")}, "lease", BROKEN, "by nobody"),
    "no Lease": ({"leases": {}}, "lease", BROKEN, "nobody holds"),
    "a Lease that is not to be seen": ({"leases": None}, "lease", WELL, "not yours"),
    "rights to look alone": (
        {"rights": rights("run and change jobs")},
        "rights",
        POOR,
        "but not create mpijobs, patch mpijobs, delete mpijobs",
    ),
    "no rights": ({"rights": rights(*RIGHTS)}, "rights", BROKEN, "in namespace team you may not"),
    "CPUs": ({}, "nodes", WELL, "2 of 2 take pods: 3 CPUs"),
    "a node that is not ready": ({"nodes": (node(), node("False"))}, "nodes", POOR, "1 of 2"),
    "no node that is ready": ({"nodes": (node("Unknown"),)}, "nodes", BROKEN, "none of 1"),
    "nodes that are not to be seen": ({"nodes": None}, "nodes", WELL, "not yours"),
    "GPUs": ({}, "gpus", WELL, "8 nvidia.com/gpu"),
    "no GPU": ({"nodes": (node(),)}, "gpus", WELL, "none"),
    "a queue": ({"groups": {**GOOD.groups, "kueue.x-k8s.io": ("v1",)}}, "queues", WELL, "Kueue"),
    "a domain that the operator knows": ({}, "dns", WELL, "cluster.local"),
    "a domain that it does not": (
        {"corefile": "kubernetes example.org in-addr.arpa"},
        "dns",
        BROKEN,
        "example.org",
    ),
    "a domain that it was told": (
        {
            "corefile": "kubernetes example.org",
            "deployments": (operator(cluster_domain="example.org"),),
        },
        "dns",
        WELL,
        "example.org",
    ),
    "a domain that nobody tells": ({"corefile": ""}, "dns", POOR, "cluster.local is taken"),
}


@pytest.mark.parametrize(("changes", "name", "health", "words"), CASES.values(), ids=CASES)
def test_what_is_said_of_it(changes, name, health, words):
    (check,) = [c for c in cluster_checkup(replace(GOOD, **changes)) if c.name == name]
    assert (check.health, words in check.found, bool(check.advice)) == (
        health,
        True,
        health is not WELL,
    )
