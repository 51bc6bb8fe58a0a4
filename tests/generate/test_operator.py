"""What an installation is made of."""

import pytest

from mpijob.generate.operator import installation
from mpijob.generate.rights import LEASE
from mpijob.generate.settings import KUBECTL_DELIVERY_IMAGE, LABELS, Installation
from mpijob.kube import operator


def named(chosen):
    """Every object but the definition, by KIND/NAME."""
    return {f"{m['kind']}/{m['metadata']['name']}": m for m in installation(chosen)}


DEFAULT = named(Installation())
TEAM = named(Installation(watched="team"))


def test_the_namespace_comes_first_and_the_definition_before_the_operator():
    kinds = [manifest["kind"] for manifest in installation(Installation())]
    assert (kinds[0], kinds.index("CustomResourceDefinition") < kinds.index("Deployment")) == (
        "Namespace",
        True,
    )


def test_every_object_says_whose_it_is():
    assert [
        name
        for name, made in DEFAULT.items()
        if not made["metadata"].get("labels", {}).items() >= LABELS.items()
    ] == []


def test_the_lease_that_it_may_keep_is_the_one_that_it_asks_for():
    assert operator.LEASE == LEASE


def test_one_namespace_needs_no_right_to_the_whole_cluster():
    roles = {name for name in TEAM if name.startswith("ClusterRole") and "kubeflow" not in name}
    spaces = {
        TEAM[name]["metadata"]["namespace"] for name in TEAM if name.startswith(("Role/", "RoleB"))
    }
    assert (roles, spaces) == (set(), {"team", "mpi-operator"})


GANGS = {
    "none": ("", set()),
    "volcano": ("volcano", {"scheduling.volcano.sh", "scheduling.k8s.io"}),
    "co-scheduling": ("my-scheduler", {"scheduling.x-k8s.io", "scheduling.k8s.io"}),
}


@pytest.mark.parametrize(("gang", "groups"), GANGS.values(), ids=GANGS)
def test_rights_to_gangs_come_with_gang_scheduling(gang, groups):
    rules = [
        rule
        for made in installation(Installation(gang=gang))
        for rule in made.get("rules", ())
        if any(group.startswith("scheduling") for group in rule["apiGroups"])
    ]
    assert {group for rule in rules for group in rule["apiGroups"]} == groups


def test_nobody_may_do_just_anything():
    starred = [
        name
        for name, made in DEFAULT.items()
        for rule in made.get("rules", ())
        if "*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
    ]
    assert starred == []


def _arguments(chosen):
    deployment = named(chosen)["Deployment/mpijob-operator"]
    return deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_operator_is_told_what_was_chosen():
    chosen = Installation("here", watched="team", gang="volcano", cluster_domain="example.org")
    assert _arguments(chosen) == [
        "operator",
        "--lock-namespace=here",
        "--monitoring-port=9090",
        f"--kubectl-delivery-image={KUBECTL_DELIVERY_IMAGE}",
        "--namespace=team",
        "--gang-scheduling=volcano",
        "--cluster-domain=example.org",
    ]


def test_network_policies_can_be_left_out():
    def policies(chosen):
        return [name for name in named(chosen) if name.startswith("NetworkPolicy")]

    assert (
        policies(Installation(watched="team")),
        policies(Installation(watched="team", network_policies=False)),
    ) == (["NetworkPolicy/mpijob-operator", "NetworkPolicy/mpijob-jobs"], [])
