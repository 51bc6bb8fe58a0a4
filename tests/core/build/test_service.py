"""The Service by which pods find each other."""

from mpijob.core import build


def test_the_service_is_headless_and_finds_launcher_and_workers(a_job):
    assert build.service(a_job())["spec"] == {
        "clusterIP": "None",
        "selector": {
            "training.kubeflow.org/operator-name": "mpi-operator",
            "training.kubeflow.org/job-name": "pi",
        },
        "publishNotReadyAddresses": True,
    }


def test_the_service_is_the_jobs_own(a_job):
    assert build.service(a_job())["metadata"] == {
        "namespace": "default",
        "name": "pi",
        "labels": {"app": "pi"},
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
