"""The Service by which pods find each other."""

from mpijob.core import build
from mpijob.core.config import Config
from mpijob.core.transport import Setup


def test_the_service_is_headless_and_finds_launcher_and_workers(a_job):
    assert build.service(a_job())["spec"] == {
        "clusterIP": "None",
        "selector": {
            "training.kubeflow.org/operator-name": "mpi-operator",
            "training.kubeflow.org/job-name": "pi",
        },
        "publishNotReadyAddresses": True,
    }


def test_the_service_selects_the_pods_as_they_are_labelled(a_job):
    job = a_job()
    launcher = build.launcher(job, Config(), Setup.IMAGE, suspended=False)
    pods = (build.worker(job, 0, Config(), Setup.IMAGE), launcher["spec"]["template"])
    selector = build.service(job)["spec"]["selector"].items()
    assert [selector <= pod["metadata"]["labels"].items() for pod in pods] == [True, True]


def test_the_service_is_the_jobs_own(a_job):
    assert build.service(a_job())["metadata"] == {
        "namespace": "default",
        "name": "pi",
        "labels": {"app": "pi", "mpijob.dev/child": "true"},
        "ownerReferences": [
            {
                "apiVersion": "kubeflow.org/v2beta1",
                "kind": "MPIJob",
                "name": "pi",
                "uid": "job-uid",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def test_names_are_published_before_anything_is_ready_defect_2(a_job):
    """mpi-operator v0.8.2 publishes only those that are, so that ssh fails at the name."""
    assert build.service(a_job())["spec"]["publishNotReadyAddresses"] is True


def test_the_service_has_the_jobs_own_name_defect_21(a_job):
    """Kept from mpi-operator v0.8.2, since hostfiles and clients count on it."""
    assert build.service(a_job())["metadata"]["name"] == "pi"
