"""Paths, as the API server has them."""

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version
from mpijob.kube.resources import Paths

PATHS = {
    "all jobs": (Paths().collection(Kind.MPI_JOB), "/apis/kubeflow.org/v2beta1/mpijobs"),
    "the pods of one namespace": (
        Paths(namespace="team").collection(Kind.POD),
        "/api/v1/namespaces/team/pods",
    ),
    "what has no namespace": (
        Paths(namespace="team").collection(Kind.PRIORITY_CLASS),
        "/apis/scheduling.k8s.io/v1/priorityclasses",
    ),
    "a new Job": (
        Paths().new({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "team"}}),
        "/apis/batch/v1/namespaces/team/jobs",
    ),
    "a new MPIJob, in its own version": (
        Paths().new({"apiVersion": "kubeflow.org/v1alpha2", "kind": "MPIJob", "metadata": {}}),
        "/apis/kubeflow.org/v1alpha2/mpijobs",
    ),
    "all jobs, in an older version": (
        Paths(version=Version.V1ALPHA2).collection(Kind.MPI_JOB),
        "/apis/kubeflow.org/v1alpha2/mpijobs",
    ),
    "a status": (
        Paths().object(Ref(Kind.MPI_JOB, "team", "pi"), "status"),
        "/apis/kubeflow.org/v2beta1/namespaces/team/mpijobs/pi/status",
    ),
    "Volcano's groups": (
        Paths(gang="volcano").collection(Kind.POD_GROUP),
        "/apis/scheduling.volcano.sh/v1beta1/podgroups",
    ),
    "the scheduler-plugins' groups": (
        Paths(gang="scheduler-plugins").collection(Kind.POD_GROUP),
        "/apis/scheduling.x-k8s.io/v1alpha1/podgroups",
    ),
}


@pytest.mark.parametrize(("path", "want"), PATHS.values(), ids=PATHS)
def test_paths(path, want):
    assert path == want
