"""A very large job beside small ones, on fake nodes: minutes, so `make soak` alone runs this."""

import pytest

from harness.fake_site import CHILDREN, JOBS

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(900, func_only=True)]

WORKERS, SMALL_JOBS = 2000, 50


def _job(name, workers, runs_for):
    container = {"name": "mpi", "image": "example.com/mpi:1"}
    launcher = {
        "metadata": {"annotations": {"fake.mpijob.dev/runs-for": runs_for}},
        "spec": {"containers": [{**container, "command": ["mpirun", "hostname"]}]},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {
            "runPolicy": {"cleanPodPolicy": "All"},
            "mpiReplicaSpecs": {
                "Launcher": {"template": launcher},
                "Worker": {"replicas": workers, "template": {"spec": {"containers": [container]}}},
            },
        },
    }


def _is(state, ready=None):
    def so(job):
        status = job.get("status", {})
        return status.get("state") == state and ready in (None, status.get("ready"))

    return so


@pytest.mark.usefixtures("operator")
def test_a_job_of_2000_workers_runs_and_goes_while_small_jobs_come_and_end(api, namespace):
    jobs, pods = JOBS.format(namespace), CHILDREN["pods"].format(namespace)
    api.create(jobs, _job("large", WORKERS, "ever"))
    for number in range(SMALL_JOBS):
        api.create(jobs, _job(f"small-{number}", 4, "1s"))
    for number in range(SMALL_JOBS):
        query = {"fieldSelector": f"metadata.name=small-{number}"}
        api.until(jobs, _is("Succeeded"), limit_s=300, **query)
    large = {"fieldSelector": "metadata.name=large"}
    api.until(jobs, _is("Running", f"{WORKERS}/{WORKERS}"), limit_s=300, **large)
    api.merge(f"{jobs}/large", {"spec": {"runPolicy": {"suspend": True}}})
    api.until(jobs, _is("Suspended", f"0/{WORKERS}"), limit_s=300, **large)
    for pod in api.read(pods)["items"]:
        api.until_gone(pods, pod["metadata"]["name"], limit_s=300)
    assert api.read(pods)["items"] == []
