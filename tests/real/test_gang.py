"""PodGroups on a real API server that knows the definitions of both gang schedulers.

The schedulers themselves are not here: what is shown is that a server takes what we write, that
edits of a job arrive, and that nobody is fought. The definitions are distilled to the fields that
we write (tests/core/build/pod_groups.yaml).
"""

from pathlib import Path

import pytest
import yaml

from harness.fake_site import JOBS, define
from harness.own_operator import own_operator
from mpijob.core import build
from mpijob.core.config import Config, Gang
from mpijob.core.job import LauncherStart, RunPolicy, SchedulingPolicy
from mpijob.testing import worlds

ROOT = Path(__file__).parents[2]
VOLCANO = "/apis/scheduling.volcano.sh/v1beta1/namespaces/{}/podgroups"
PLUGINS = "/apis/scheduling.x-k8s.io/v1alpha1/namespaces/{}/podgroups"


@pytest.fixture(scope="module")
def with_groups(defined):
    """The cluster, knowing the PodGroups of both schedulers, too."""
    groups = ROOT / "tests" / "core" / "build" / "pod_groups.yaml"
    with defined.api("test-gang") as api:
        for crd in yaml.safe_load_all(groups.read_text()):
            define(api, crd)
    return defined


def job(**scheduling):
    container = {"name": "mpi", "image": "example.com/mpi:1"}
    requests = {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    replicas = {
        "Launcher": {"template": {"spec": {"containers": [{**container, "command": ["mpirun"]}]}}},
        "Worker": {"replicas": 2, "template": {"spec": {"containers": [container | requests]}}},
    }
    policy = {"cleanPodPolicy": "All", "schedulingPolicy": scheduling}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi"},
        "spec": {"runPolicy": policy, "mpiReplicaSpecs": replicas},
    }


POLICIES = {
    "nothing is said": None,
    "all is said": SchedulingPolicy(2, "team-a", {"cpu": "1.5", "memory": "2Gi"}, "high", 60),
    "a gang of nobody": SchedulingPolicy(min_available=0),
    "empty words": SchedulingPolicy(queue="", priority_class=""),
}


@pytest.mark.parametrize("scheduler", Gang)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("start", LauncherStart)
def test_a_server_takes_every_pod_group(with_groups, api, namespace, scheduler, policy, start):
    of = worlds.job(2, RunPolicy(scheduling=policy), launcher_start=start)
    made = build.pod_group(of, Config(gang=scheduler), {})
    # Nobody here has the job's uid, and the server asks nobody but the garbage collector.
    sent = {**made, "metadata": {"name": "pi"}}
    path = {Gang.VOLCANO: VOLCANO, Gang.SCHEDULER_PLUGINS: PLUGINS}[scheduler].format(namespace)
    answer = api.ask("POST", path, sent, query={"dryRun": "All", "fieldValidation": "Strict"})
    assert (answer.code, answer.message) == (201, "")


def test_volcanos_pod_group_follows_its_job(with_groups, api, namespace, tmp_path):
    """`TestMPIJobWithVolcanoScheduler`, mpi-operator v0.8.2 (test/integration)."""
    jobs, groups = JOBS.format(namespace), VOLCANO.format(namespace)
    with own_operator(with_groups, namespace, tmp_path, ["--gang-scheduling=volcano"]):
        api.create(jobs, job())
        first = api.until(groups, lambda group: group["spec"]["minMember"] == 3)
        fields = {"minAvailable": 2, "queue": "team-a"}
        api.merge(f"{jobs}/pi", {"spec": {"runPolicy": {"schedulingPolicy": fields}}})
        then = api.until(groups, lambda group: group["spec"]["minMember"] == 2)
        pods = f"/api/v1/namespaces/{namespace}/pods"
        pod = api.until(pods, lambda pod: pod["metadata"]["name"] == "pi-worker-1")
    found = {
        "queues": [first["spec"]["queue"], then["spec"]["queue"]],
        "resources": [first["spec"]["minResources"], then["spec"]["minResources"]],
        # One change of ours, and none by which Volcano's own default would have been fought.
        "generation": then["metadata"]["generation"] - first["metadata"]["generation"],
        "pod": (
            pod["spec"]["schedulerName"],
            pod["metadata"]["annotations"]["scheduling.k8s.io/group-name"],
        ),
    }
    assert found == {
        "queues": ["default", "team-a"],
        "resources": [{"cpu": "1", "memory": "2Gi"}, {"cpu": "500m", "memory": "1Gi"}],
        "generation": 1,
        "pod": ("volcano", "pi"),
    }


def test_the_plugins_pod_group_follows_its_job_to_the_end(with_groups, api, namespace, tmp_path):
    """`TestMPIJobWithSchedulerPlugins`, mpi-operator v0.8.2 (test/integration).

    The pods go to the scheduler that is here, which passes over their label.
    """
    jobs, groups = JOBS.format(namespace), PLUGINS.format(namespace)
    waiting_for_nobody = job(minAvailable=0, scheduleTimeoutSeconds=10)
    flags = ["--gang-scheduling=default-scheduler"]
    with own_operator(with_groups, namespace, tmp_path, flags):
        api.create(jobs, waiting_for_nobody)
        first = api.until(groups, lambda group: group["metadata"]["name"] == "pi")
        pods = f"/api/v1/namespaces/{namespace}/pods"
        pod = api.until(pods, lambda pod: pod["metadata"]["name"] == "pi-worker-0")
        ended = api.until(jobs, _has_succeeded)
        api.until_gone(groups, "pi")
    assert (
        first["spec"],
        pod["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"],
        ended["metadata"]["name"],
    ) == ({"minMember": 1, "scheduleTimeoutSeconds": 10}, "pi", "pi")


def _has_succeeded(found):
    rows = found.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == ("Succeeded", "True") for row in rows)
