"""GPUs of a v1 job come free as soon as it has ended, and the next job has them.

What `sleep` holds as a pod's first process is held for half a minute longer: it does not hear that
it is to end. That the nodes have GPUs is what we tell the API server.
"""

from datetime import datetime

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

#: A resource of this module's own, so that no other job takes any.
GPU = "example.com/gpu"
EACH = 2
POLICIES = ("Running", "All")
#: What a container has to end in, before it is killed.
GRACE_S = 30
_PODS = "/api/v1/namespaces/{}/pods"
_JOBS = "/apis/kubeflow.org/v1/namespaces/{}/mpijobs"


def _job(name, image, policy, sees_told):
    """A v1 job that ends once it is told to, whose two workers take all GPUs that there are."""
    wait = ["sh", "-c", f"until [ -e /told/{name} ]; do sleep 0.1; done"]
    [seen] = sees_told["containers"]
    launcher = {"name": "mpi", "image": image, "command": wait, **seen}
    worker = {"name": "mpi", "image": image, "resources": {"limits": {GPU: EACH}}}
    roles = {
        "Launcher": {"template": {"spec": {**sees_told, "containers": [launcher]}}},
        "Worker": {"replicas": 2, "template": {"spec": {"containers": [worker]}}},
    }
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {"cleanPodPolicy": policy, "mpiReplicaSpecs": {**roles}},
    }


def _runs(job):
    rows = job.get("status", {}).get("conditions", ())
    return any((row["type"], row["status"]) == ("Running", "True") for row in rows)


def _condition(pod, type_):
    rows = pod.get("status", {}).get("conditions", ())
    return next((row for row in rows if row["type"] == type_), {"status": "Unknown"})


def _at(text):
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def gpus(site, every_version):
    """Nodes that have as many GPUs as one job wants."""
    site.equip(GPU, EACH)


@pytest.fixture(scope="module", params=POLICIES)
def handed_on(request, site, space, images, told, sees_told, gpus):
    """How long the next job's last worker waited after the end of the one before, in seconds."""
    first, second = (f"{word}-{request.param.lower()}" for word in ("first", "next"))
    image = images["openmpi-4"]
    with site.api() as api:
        jobs, pods = _JOBS.format(space), _PODS.format(space)
        api.create(jobs, _job(first, image, request.param, sees_told))
        api.until(jobs, _runs, fieldSelector=f"metadata.name={first}")
        api.create(jobs, _job(second, image, request.param, sees_told))
        waiting = f"metadata.name={second}-worker-1"
        api.until(
            pods,
            lambda pod: _condition(pod, "PodScheduled")["status"] == "False",
            fieldSelector=waiting,
        )
        (told / first).touch()
        launcher = site.ended(space, first).role("launcher")[-1]
        [ended] = launcher["status"]["containerStatuses"]
        workers = [
            api.until(
                pods,
                lambda pod: _condition(pod, "PodScheduled")["status"] == "True",
                fieldSelector=f"metadata.name={second}-worker-{index}",
            )
            for index in range(2)
        ]
        api.until(jobs, _runs, fieldSelector=f"metadata.name={second}")
        (told / second).touch()
        site.ended(space, second)
        for index in range(2):
            api.until_gone(pods, f"{second}-worker-{index}")
    placed = (_condition(pod, "PodScheduled")["lastTransitionTime"] for pod in workers)
    return (max(map(_at, placed)) - _at(ended["state"]["terminated"]["finishedAt"])).total_seconds()


@pytest.mark.timeout(300, func_only=True)
def test_the_next_job_has_the_gpus_long_before_anything_would_be_killed(handed_on):
    assert handed_on < GRACE_S / 3
