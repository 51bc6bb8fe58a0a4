"""Taking over on a real API server: a running job as mpi-operator v0.8.2 left it, then ours.

In more detail, with every recorded job, in tests/engine/test_taking_over.py.
"""

import sys
from pathlib import Path

import pytest
import yaml

from harness.processes import Process
from mpijob.api.crd import definition

ROOT = Path(__file__).parents[2]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
CHILDREN = {
    "service": ("v1", "Service", "/api/v1/namespaces/{}/services"),
    "config": ("v1", "ConfigMap", "/api/v1/namespaces/{}/configmaps"),
    "secret": ("v1", "Secret", "/api/v1/namespaces/{}/secrets"),
    "launcher": ("batch/v1", "Job", "/apis/batch/v1/namespaces/{}/jobs"),
}
PODS = "/api/v1/namespaces/{}/pods"
CHILD = "mpijob.dev/child"
RUNS_FOR = "fake.mpijob.dev/runs-for"
MPIJOB = [sys.executable, "-c", "from mpijob.cli import main; main()"]
PLAIN = yaml.safe_load((ROOT / "tests" / "parity" / "data" / "plain.yaml").read_text())


@pytest.fixture(scope="module")
def defined(cluster):
    """The cluster, knowing MPIJobs."""
    crd = definition()
    name = crd["metadata"]["name"]
    query = {"fieldManager": "test-taking-over", "force": "true"}
    with cluster.api("test-taking-over") as api:
        path = f"{DEFINITIONS}/{name}"
        api.did(api.ask("PATCH", path, crd, content_type=APPLY, query=query))
        api.until(DEFINITIONS, _is_established, fieldSelector=f"metadata.name={name}")
    return cluster


def _is_established(crd):
    rows = crd.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == ("Established", "True") for row in rows)


def left_behind(api, namespace):
    """Make what mpi-operator made of a job, and wait until all of it runs."""
    written = PLAIN["job"]
    job = api.create(JOBS.format(namespace), {**written, "metadata": {"name": "plain"}})
    owner = {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "name": "plain",
        "uid": job["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    for kind, (version, wire, path) in CHILDREN.items():
        child = {k: v for k, v in PLAIN["children"][kind].items() if k != "keys"}
        metadata = {**child["metadata"], "ownerReferences": [owner]}
        if kind == "secret":
            child["data"] = dict.fromkeys(PLAIN["children"][kind]["keys"], "dGhlaXJz")
        if kind == "launcher":
            template = child["spec"]["template"]
            marked = {**template["metadata"], "annotations": {RUNS_FOR: "ever"}}
            child["spec"] = {**child["spec"], "template": {**template, "metadata": marked}}
        made = {**child, "apiVersion": version, "kind": wire, "metadata": metadata}
        api.create(path.format(namespace), made)
    pods = PODS.format(namespace)
    for name, child in PLAIN["children"]["workers"].items():
        metadata = {**child["metadata"], "name": name, "ownerReferences": [owner]}
        api.create(pods, {**child, "apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        api.until(pods, _runs, fieldSelector=f"metadata.name={name}")
    label = "training.kubeflow.org/job-role=launcher"
    return api.until(pods, _runs, labelSelector=label)["metadata"]["name"]


def _runs(pod):
    return pod.get("status", {}).get("phase") == "Running"


def identities(api, namespace):
    paths = [*(path for _, _, path in CHILDREN.values()), PODS]
    found = [item for path in paths for item in api.read(path.format(namespace))["items"]]
    owned = [item for item in found if item["metadata"].get("ownerReferences")]
    return {(item["metadata"]["name"], item["metadata"]["uid"]) for item in owned}


def _is_true(found, type_):
    rows = found.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == (type_, "True") for row in rows)


def test_a_running_job_goes_on_and_ends(defined, api, namespace, tmp_path):
    launcher = left_behind(api, namespace)
    before = identities(api, namespace)
    flags = [f"--namespace={namespace}", f"--lock-namespace={namespace}", "--health-port=0"]
    running = Process(
        "operator",
        [*MPIJOB, "operator", *flags],
        tmp_path / "operator.log",
        environment={"KUBECONFIG": defined.kubeconfig},
    )
    try:
        api.until(JOBS.format(namespace), lambda found: _is_true(found, "Running"))
        after = identities(api, namespace)
        labels = [
            item["metadata"]["labels"].get(CHILD)
            for _, _, path in CHILDREN.values()
            for item in api.read(path.format(namespace))["items"]
            if item["metadata"].get("ownerReferences")
        ]
        secret = api.read(f"{CHILDREN['secret'][2].format(namespace)}/plain-ssh")["data"]
        pod = f"{PODS.format(namespace)}/{launcher}"
        api.merge(pod, {"metadata": {"annotations": {RUNS_FOR: None}}})
        ended = api.until(JOBS.format(namespace), lambda found: _is_true(found, "Succeeded"))
    finally:
        running.stop()
    assert (before ^ after, labels, set(secret.values()), _is_true(ended, "Failed")) == (
        set(),
        ["true"] * len(CHILDREN),
        {"dGhlaXJz"},
        False,
    )
