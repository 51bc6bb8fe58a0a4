"""What the prototype mpi-operator installs."""

import pytest

from mpijob import __version__
from mpijob.core.version import Version
from mpijob.generate.mpi_operator import PROTOTYPE
from mpijob.generate.parameters import WrongParameters
from mpijob.generate.prototype import Setting

OLD = Setting("team", Version.V1ALPHA1)


def _made(**given):
    return PROTOTYPE.manifests({"name": "mpi-operator", **given}, OLD)


def test_parameters_are_those_of_the_document():
    assert {one.name: (one.description, one.default) for one in PROTOTYPE.parameters} == {
        "name": ("Name to give to each of the components", None),
        "image": ("The image for the MPI Operator", f"mpijob/operator:{__version__}"),
        "kubectlDeliveryImage": (
            "The image for delivering kubectl",
            f"mpijob/kubectl-delivery:{__version__}",
        ),
        "gpusPerNode": ("The maximum number of GPUs per node", "8"),
    }


def test_objects_come_in_the_packages_order_each_under_the_name_that_was_given():
    assert [(one["kind"], one["metadata"]["name"]) for one in _made()] == [
        ("CustomResourceDefinition", "mpijobs.kubeflow.org"),
        ("ServiceAccount", "mpi-operator"),
        ("ClusterRole", "mpi-operator"),
        ("ClusterRoleBinding", "mpi-operator"),
        ("Role", "mpi-operator-lease"),
        ("RoleBinding", "mpi-operator-lease"),
        ("Deployment", "mpi-operator"),
    ]


def test_jobs_of_v1alpha1_are_served():
    versions = {row["name"]: row["served"] for row in _made()[0]["spec"]["versions"]}
    assert versions["v1alpha1"] is True


def _deployment(**given):
    return _made(**given)[-1]


def test_the_operator_is_told_what_was_given():
    given = {"image": "mine:1", "kubectlDeliveryImage": "kubectl:1", "gpusPerNode": "4"}
    [container] = _deployment(**given)["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (
        "mine:1",
        [
            "operator",
            "--lock-namespace=team",
            "--monitoring-port=9090",
            "--kubectl-delivery-image=kubectl:1",
            "--gpus-per-node=4",
        ],
    )


def test_the_deployment_is_one_pod_that_is_found_by_its_name():
    deployment = _deployment()
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert (
        deployment["metadata"]["namespace"],
        deployment["spec"]["replicas"],
        selector["app"],
        labels.items() >= selector.items(),
    ) == ("team", 1, "mpi-operator", True)


def test_all_that_has_a_namespace_is_in_that_of_the_environment():
    spaces = {one["metadata"].get("namespace", "none") for one in _made()}
    assert spaces == {"team", "none"}


def test_rights_go_to_the_account_by_its_name():
    subjects = [s for one in _made() for s in one.get("subjects", ())]
    assert {(s["name"], s["namespace"]) for s in subjects} == {("mpi-operator", "team")}


WRONG = {
    "nodes without GPUs": ({"gpusPerNode": "0"}, "parameter gpusPerNode: 0 is too small"),
    "GPUs in words": ({"gpusPerNode": "all"}, "parameter gpusPerNode: “all” is not a whole"),
    "a list for an image": ({"image": ["a"]}, "parameter image: it is a list or a mapping"),
    "a parameter that is not there": ({"gpus": "8"}, "parameter gpus: there is no such"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_the_parameters_name(given, said):
    with pytest.raises(WrongParameters) as wrong:
        _made(**given)
    assert str(wrong.value).startswith(said)
