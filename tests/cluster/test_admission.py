"""What is refused at the door: all problems at once, in Kubernetes' words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.admission import admit, type_problems, unknown
from mpijob.core.job import Problem

POD = {"containers": [{"name": "mpi", "image": "example/mpi:1"}]}


def job(metadata=None, **spec):
    replicas = {"Launcher": {"replicas": 1, "template": {"spec": POD}}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "default"} | (metadata or {}),
        "spec": {"mpiReplicaSpecs": replicas} | spec,
    }


def object_of(kind, **metadata):
    return {"kind": kind, "apiVersion": "v1", "metadata": metadata}


def fields(found):
    return [problem.field for problem in found]


TAKEN = {
    "a plain job": job(),
    "a name that is yet to be drawn": job({"name": "", "generateName": "pi-"}),
    "a name with a dot, which only the job's rules refuse": job({"name": "a.b"}),
    "a field that nobody knows, which is dropped": job(odd=1),
    "labels of every allowed form": job(
        {"labels": {"a": "", "example.com/A_b.c-1": "A_b.c-1", "x" * 63: "y" * 63}}
    ),
    "annotations that say what they like": job({"annotations": {"example.com/A": "\n é " * 100}}),
    "a job of another version, which has no table": {
        "apiVersion": "kubeflow.org/v9",
        "kind": "MPIJob",
        "spec": 5,
    },
    "an object of another kind, whatever is in it": object_of("ConfigMap", name="a.b")
    | {"data": 5},
    "a status that is null": job() | {"status": None},
}


@pytest.mark.parametrize("manifest", TAKEN.values(), ids=TAKEN)
def test_the_door_is_open_for(manifest):
    assert admit(manifest) == ()


REFUSED = {
    "a name in capitals": (job({"name": "Pi"}), ["metadata.name"]),
    "a name that is too long": (job({"name": "a" * 254}), ["metadata.name"]),
    "a name of a line feed": (job({"name": "a\n"}), ["metadata.name"]),
    "a Service's name with a dot": (object_of("Service", name="a.b"), ["metadata.name"]),
    "a Pod's name with an underscore": (object_of("Pod", name="a_b"), ["metadata.name"]),
    "a namespace with a dot": (job({"namespace": "a.b"}), ["metadata.namespace"]),
    "a namespace that is too long": (job({"namespace": "a" * 64}), ["metadata.namespace"]),
    "a label with a space": (job({"labels": {"a": "b c"}}), ["metadata.labels"]),
    "a label that is too long": (job({"labels": {"a": "b" * 64}}), ["metadata.labels"]),
    "a label that is a number": (job({"labels": {"a": 1}}), ["metadata.labels[a]"]),
    "a label's key that is too long": (job({"labels": {"a" * 64: ""}}), ["metadata.labels"]),
    "a label's key that is empty, and so no word either": (
        job({"labels": {"": ""}}),
        ["metadata.labels", "metadata.labels"],
    ),
    "a key without a prefix before its slash": (job({"labels": {"/a": ""}}), ["metadata.labels"]),
    "a key with two slashes": (job({"labels": {"a/b/c": ""}}), ["metadata.labels"]),
    "a key with a prefix that is no domain": (
        job({"annotations": {"a_b/c": ""}}),
        ["metadata.annotations"],
    ),
    "annotations of more than 256 KiB": (
        job({"annotations": {"a": "b" * (256 << 10)}}),
        ["metadata.annotations"],
    ),
    "a name that is a number": (job({"name": 3}), ["metadata.name"]),
    "metadata that is a list": (job() | {"metadata": []}, ["metadata"]),
    "a spec that is text": (job() | {"spec": "none"}, ["spec"]),
    "no replicas": (job() | {"spec": {}}, ["spec.mpiReplicaSpecs"]),
    "several wrong types": (
        job(
            slotsPerWorker="two",
            runPolicy={"suspend": "no", "backoffLimit": 2**40},
            mpiReplicaSpecs={
                "Worker": {
                    "template": {
                        "spec": {"containers": [{"name": "a", "args": ["-n", 2]}, {"name": "a"}]}
                    }
                }
            },
        ),
        [
            "spec.mpiReplicaSpecs[Worker].template.spec.containers[0].args[1]",
            "spec.mpiReplicaSpecs[Worker].template.spec.containers[1]",
            "spec.slotsPerWorker",
            "spec.runPolicy.suspend",
            "spec.runPolicy.backoffLimit",
        ],
    ),
}


@pytest.mark.parametrize(("manifest", "paths"), REFUSED.values(), ids=REFUSED)
def test_the_door_is_shut_for(manifest, paths):
    assert fields(admit(manifest)) == paths


def test_an_unquoted_number_is_told_as_kubernetes_tells_it():
    container = {"name": "mpi", "args": ["-n", 2]}
    replicas = {"Launcher": {"template": {"spec": {"containers": [container]}}}}
    assert [str(problem) for problem in admit(job(mpiReplicaSpecs=replicas))] == [
        (
            "spec.mpiReplicaSpecs[Launcher].template.spec.containers[0].args[1]: Invalid value: "
            '"integer": must be of type string: "integer"'
        )
    ]


def test_a_wrong_name_is_told_as_kubernetes_tells_it():
    assert str(admit(job({"name": "Pi"}))[0]) == (
        'metadata.name: Invalid value: "Pi": a lowercase RFC 1123 subdomain must consist of lower '
        "case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        "character (e.g. 'example.com', regex used for validation is "
        r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )


def test_hostile_input_ends_after_a_hundred_problems():
    container = {"name": "mpi", "args": [1] * 100_000}
    replicas = {"Launcher": {"template": {"spec": {"containers": [container]}}}}
    assert len(admit(job(mpiReplicaSpecs=replicas))) == 100


def test_unknown_fields_are_listed_apart():
    found = unknown(job(slots=2, mpiReplicaSpecs={"Launcher": {"replica": 1}}))
    assert [fault.path for fault in found] == [
        "spec.mpiReplicaSpecs[Launcher].replica",
        "spec.slots",
    ]


def test_a_time_of_creation_in_a_template_is_what_tools_write():
    template = {"metadata": {"creationTimestamp": None}, "spec": POD}
    assert unknown(job(mpiReplicaSpecs={"Launcher": {"template": template}})) == ()


def test_other_kinds_have_no_unknown_fields():
    assert unknown({"kind": "Pod", "apiVersion": "v1", "odd": 1}) == ()


def test_the_types_of_a_manifest_without_a_kind():
    assert type_problems({"spec": []}) == (
        Problem("spec", "Invalid value", 'must be of type object: "array"', '"array"'),
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(json_values, json_values, json_values)
def test_whatever_comes_is_judged(name, labels, spec):
    manifest = job({"name": name, "labels": labels, "annotations": labels}) | {"spec": spec}
    assert isinstance(admit(manifest), tuple)
