"""Which objects another operator left us, and what adopting one changes."""

import pytest

from mpijob.api.adoption import adoptable, adoption, is_stray
from mpijob.core.job import Identity, Key
from mpijob.core.plan import Kind

JOB = Identity(Key("default", "pi"), "pi-uid", "1")
OWNER = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "uid": "pi-uid",
    "controller": True,
}


def child(labels=None, **owner):
    owners = [{**OWNER, **owner}]
    return {"metadata": {"name": "a", "labels": labels or {}, "ownerReferences": owners}}


# Whether some MPIJob owns it unseen, and whether the job pi does.
CASES = {
    "a child without our label": (child(), (True, True)),
    "a child of another job": (child(uid="other"), (True, False)),
    "a child that has it": (child({"mpijob.dev/child": "true"}), (False, False)),
    "one that its owner does not control": (child(controller=False), (False, False)),
    "a child of another kind": (child(kind="TFJob"), (False, True)),
    "a child of another group's MPIJob": (child(apiVersion="example.com/v1"), (False, True)),
    "an object without owners": ({"metadata": {"name": "a"}}, (False, False)),
    "an object of an odd shape": ({}, (False, False)),
}


@pytest.mark.parametrize(("there", "want"), CASES.values(), ids=CASES)
def test_whose_it_is(there, want):
    assert (is_stray(Kind.SERVICE, there), adoptable(Kind.SERVICE, there, JOB)) == want


@pytest.mark.parametrize("kind", [Kind.POD, Kind.POD_GROUP])
def test_what_is_watched_without_our_label_is_not_given_it(kind):
    assert not adoptable(kind, child(), JOB)


PODS = {
    "of v1, by mpi-operator": ({"mpi-job-name": "pi"}, True),
    "of v1, by the training-operator": (
        {"training.kubeflow.org/operator-name": "mpijob-controller"},
        False,
    ),
    "of v2beta1": ({"training.kubeflow.org/operator-name": "mpi-operator"}, False),
}


@pytest.mark.parametrize(("labels", "want"), PODS.values(), ids=PODS)
def test_which_pods_no_watch_of_ours_tells_of(labels, want):
    assert is_stray(Kind.POD, child(labels)) is want


def test_a_pod_gets_the_label_by_which_pods_are_watched():
    label = "training.kubeflow.org/operator-name"
    assert adoption(Kind.POD) == {"metadata": {"labels": {label: "mpi-operator"}}}


@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET])
def test_a_child_gets_a_label_and_nothing_else(kind):
    assert adoption(kind) == {"metadata": {"labels": {"mpijob.dev/child": "true"}}}


def test_a_launchers_job_loses_the_time_to_live_that_would_take_its_end_with_it():
    assert adoption(Kind.JOB)["spec"] == {"ttlSecondsAfterFinished": None}
