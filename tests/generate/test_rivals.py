"""Who else looks after MPIJobs, as a cluster's Deployments tell."""

import pytest

from mpijob.generate.operator import installation
from mpijob.generate.rivals import rivals, watched_by
from mpijob.generate.settings import Installation

OURS = Installation()


def deployment(image="", *, command=(), args=(), replicas=1, name="it", namespace="kubeflow"):
    container = {"image": image, "command": list(command), "args": list(args)}
    spec = {"template": {"spec": {"containers": [container]}}, "replicas": replicas}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def own(chosen):
    return next(m for m in installation(chosen) if m["kind"] == "Deployment")


TRAINING = "docker.io/kubeflow/training-operator:v1-8e6b8b3"
CASES = {
    "something else": (deployment("nginx:1"), None),
    "mpi-operator by its image": (deployment("mpioperator/mpi-operator:0.8.2"), "mpi-operator"),
    "mpi-operator from a mirror": (
        deployment("mirror.example:5000/x/mpi-operator@sha256:0"),
        "mpi-operator",
    ),
    "mpi-operator by its command": (
        deployment("mine:1", command=["/opt/mpi-operator"]),
        "mpi-operator",
    ),
    "one that rests": (deployment("mpioperator/mpi-operator:0.8.2", replicas=0), None),
    "a training-operator": (deployment(TRAINING, command=["/manager"]), "training-operator"),
    "a training-operator without MPIJobs": (
        deployment(TRAINING, args=["--enable-scheme=tfjob", "--enable-scheme=pytorchjob"]),
        None,
    ),
    "a training-operator with MPIJobs": (
        deployment(TRAINING, args=["--enable-scheme", "tfjob", "--enable-scheme", "MPIJob"]),
        "training-operator",
    ),
    "the operator itself": (own(OURS), None),
    "one of ours elsewhere": (own(Installation("elsewhere")), "another mpijob-operator"),
    "one of a team, beside one for all": (
        own(Installation("elsewhere", watched="team")),
        "another mpijob-operator",
    ),
}


@pytest.mark.parametrize(("there", "program"), CASES.values(), ids=CASES)
def test_who_is_in_the_way(there, program):
    found = [rival.program for rival in rivals([there], OURS)]
    assert found == ([program] if program else [])


def test_operators_of_two_namespaces_are_not_in_each_others_way():
    other = own(Installation("one", watched="team-one"))
    assert list(rivals([other], Installation("two", watched="team-two"))) == []


def test_a_rival_is_told_with_what_to_type():
    [found] = rivals([deployment("mpioperator/mpi-operator:0.8.2")], OURS)
    assert (str(found), found.remedy) == (
        "mpi-operator is at work: Deployment kubeflow/it",
        "kubectl -n kubeflow scale deployment it --replicas=0",
    )


def test_what_an_operator_of_ours_looks_after_is_read_from_its_deployment():
    assert [watched_by(own(Installation(watched=w))) for w in ("", "team")] == ["", "team"]
