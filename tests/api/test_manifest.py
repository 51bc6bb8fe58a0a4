"""What any object says of itself."""

import pytest

from mpijob.api import manifest as wire
from mpijob.core.plan import Kind, Ref

PI = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "metadata": {
        "namespace": "ns",
        "name": "pi",
        "uid": "u1",
        "resourceVersion": "7",
        "labels": {"app": "pi"},
    },
}
NOTHING = {"metadata": None}

READS = {
    "where it stands": (wire.key_of, ("ns", "pi"), ("", "")),
    "its uid": (wire.uid_of, "u1", ""),
    "its version": (wire.version_of, "7", ""),
    "its labels": (wire.labels_of, {"app": "pi"}, {}),
}


@pytest.mark.parametrize(("read", "want", "_"), READS.values(), ids=READS)
def test_an_object_says(read, want, _):
    assert read(PI) == want


@pytest.mark.parametrize(("read", "_", "want"), READS.values(), ids=READS)
def test_an_object_may_say_nothing(read, _, want):
    assert read(NOTHING) == want


def test_its_address():
    assert wire.ref_of(PI) == Ref(Kind.MPI_JOB, "ns", "pi")


RESOURCES = {
    "a kind with a group": (PI, "mpijob.kubeflow.org/pi"),
    "a kind of the core": (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pi-worker-0"}},
        "pod/pi-worker-0",
    ),
}


@pytest.mark.parametrize(("manifest", "want"), RESOURCES.values(), ids=RESOURCES)
def test_its_name_for_programs(manifest, want):
    assert wire.resource_name(manifest) == want


def test_several_objects_are_a_list():
    assert wire.as_list([PI]) == {"apiVersion": "v1", "kind": "List", "items": [PI]}


def test_a_new_name_takes_the_place_of_a_drawn_one():
    drawn = {"metadata": {"generateName": "pi-", "namespace": "ns"}}
    assert wire.renamed(drawn, name="tau") == {"metadata": {"name": "tau", "namespace": "ns"}}


def test_what_is_not_said_stays():
    assert wire.renamed(PI, namespace="") == PI


def test_a_name_to_be_drawn_is_judged_at_its_length():
    assert wire.as_if_named({"metadata": {"generateName": "pi-"}}) == {
        "metadata": {"name": "pi-xxxxx"}
    }


def test_a_name_that_is_there_stays():
    assert wire.as_if_named(PI) is PI
