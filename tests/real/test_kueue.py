"""Kueue's calls against a real API server, with its own Job controller and scheduler.

Kueue itself is not here: its writes are made as it makes them, each in one request, and what it
reads is read. The same story in more detail is in tests/engine/test_kueue.py.
"""

from copy import deepcopy

from harness.fake_site import JOBS

LAUNCHERS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
PODSET = "kueue.x-k8s.io/podset"


def job():
    container = {"name": "mpi", "image": "example.com/mpi:1"}
    replicas = {
        "Launcher": {"template": {"spec": {"containers": [{**container, "command": ["mpirun"]}]}}},
        "Worker": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "labels": {"kueue.x-k8s.io/queue-name": "team-a"}},
        "spec": {"runPolicy": {"suspend": True}, "mpiReplicaSpecs": replicas},
    }


def written(api, path, change):
    """Read the job, change a copy, and put it back whole, again where somebody was faster."""
    while True:
        there = deepcopy(api.read(path))
        change(there["spec"])
        answer = api.ask("PUT", path, there)
        if answer.code != 409:
            return api.did(answer)


def admitted(annotations):
    """Return what Kueue does to a job's spec when it admits it."""

    def change(spec):
        for role in ("Launcher", "Worker"):
            template = spec["mpiReplicaSpecs"][role]["template"]
            template["metadata"] = {
                "labels": {PODSET: role.lower()},
                "annotations": {"kueue.x-k8s.io/workload": "mpijob-pi-1", **annotations},
            }
            template["spec"]["nodeSelector"] = {"mpijob.dev/fake-node": "true"}
            template["spec"]["tolerations"] = [{"key": "spot", "operator": "Exists"}]
        spec["runPolicy"]["suspend"] = False

    return change


def evicted(spec):
    spec["mpiReplicaSpecs"] = deepcopy(job()["spec"]["mpiReplicaSpecs"])
    spec["runPolicy"]["suspend"] = True


def is_true(found, type_):
    rows = found.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == (type_, "True") for row in rows)


def is_active(found):
    counts = found.get("status", {}).get("replicaStatuses") or {}
    return any(count.get("active") for count in counts.values())


def test_a_job_is_queued_admitted_evicted_admitted_again_and_ends(api, namespace, operator):
    jobs, launchers, pods = (path.format(namespace) for path in (JOBS, LAUNCHERS, PODS))
    told = []

    api.create(jobs, job())
    queued = api.until(jobs, lambda found: is_true(found, "Suspended"))
    api.until(launchers, lambda found: found["spec"]["suspend"])
    told.append(("queued", is_active(queued), len(api.read(pods)["items"])))

    written(api, f"{jobs}/pi", admitted({"fake.mpijob.dev/runs-for": "ever"}))
    ready = api.until(jobs, lambda found: is_true(found, "Running"))
    sets = [pod["metadata"]["labels"].get(PODSET) for pod in api.read(pods)["items"]]
    told.append(("admitted", is_active(ready), sorted(sets)))

    written(api, f"{jobs}/pi", evicted)
    free = api.until(
        jobs,
        lambda found: (
            is_true(found, "Suspended") and not is_true(found, "Running") and not is_active(found)
        ),
    )
    told.append(("evicted", free["spec"]["runPolicy"]["suspend"]))

    written(api, f"{jobs}/pi", admitted({"fake.mpijob.dev/runs-for": "1s"}))
    ended = api.until(jobs, lambda found: is_true(found, "Succeeded"))
    template = api.read(f"{launchers}/pi-launcher")["spec"]["template"]
    told.append(("ended", is_true(ended, "Failed"), template["spec"]["nodeSelector"]))

    assert told == [
        ("queued", False, 0),
        ("admitted", True, ["launcher", "worker", "worker"]),
        ("evicted", True),
        ("ended", False, {"mpijob.dev/fake-node": "true"}),
    ]
