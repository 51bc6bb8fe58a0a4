"""What the documents of kubeflow's packages type, for a cluster: from `ks init` to `ks delete`.

Pods run on fake nodes, two of which have 8 GPUs; the operator that acts is a process here, with the
token of its account and the arguments of its Deployment. Each story is played once, and told to
those who ask.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.fake_nodes import GPU, GPU_EVERY, node
from harness.fake_site import JOBS, FakeSite
from harness.fake_site import fake_site as brought_up
from harness.own_operator import MPIJOB
from harness.unavailable import Unavailable
from mpijob.cli import exits

GPU_NODES = 5  # Every fourth has GPUs.
BENCHMARK = "tensorflow-benchmark-16"
DEFINITION = "customresourcedefinition.apiextensions.k8s.io/mpijobs.kubeflow.org"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


@dataclass
class Person:
    """Somebody who types commands in a folder, and what became of each."""

    site: FakeSite
    folder: Path
    told: dict[str, object] = field(default_factory=dict)

    def types(self, told_as, *words):
        """Type a command; note its exit code, what it printed, and what it said beside."""
        done = subprocess.run(
            [*MPIJOB, *words],
            cwd=self.folder,
            env={**os.environ, "KUBECONFIG": self.site.cluster.kubeconfig},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        self.told[told_as] = done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    def makes_an_application(self, name):
        """Make one, and go into it."""
        self.types("init", "ks", "init", name)
        self.folder /= name

    def looks_at(self, told_as, path, **query):
        """Note what the server says of a path."""
        self.told[told_as] = self.site.api.read(path, **query)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A cluster of this module's own."""
    try:
        with brought_up(tmp_path_factory.mktemp("site"), node_count=GPU_NODES) as there:
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no real control plane: {lacking}")


def _another_operator(api):
    """Make the Deployment of an operator of old, which acts on the same jobs."""
    container = {"name": "operator", "image": "mpioperator/mpi-operator:0.1.0"}
    labels = {"app": "old"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    api.create(DEPLOYMENTS.format("kube-public"), {"metadata": {"name": "old"}, "spec": spec})


def _another_job():
    container = {"name": "c", "image": "i"}
    roles = {"Launcher": {"template": {"spec": {"containers": [container]}}}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "other"},
        "spec": {"runPolicy": {"suspend": True}, "mpiReplicaSpecs": roles},
    }


@pytest.fixture(scope="module")
def quickstart(site, tmp_path_factory):
    """What was told to who typed the quickstart of mpi-job, and then deleted it all."""
    person = Person(site, tmp_path_factory.mktemp("person"))
    person.makes_an_application("lab")
    person.types("pkg", "ks", "pkg", "install", "kubeflow/mpi-job@master")
    person.types("generate", "ks", "generate", "mpi-job-simple", BENCHMARK, "--gpus", "16")
    person.types("too early", "ks", "apply", "default")
    person.types("generate", "ks", "generate", "mpi-operator", "mpi-operator")
    _another_operator(site.api)
    person.types("a rival", "ks", "apply", "default", "-c", "mpi-operator", "--dry-run")
    site.api.delete(f"{DEPLOYMENTS.format('kube-public')}/old")
    person.types("operator", "ks", "apply", "default", "-c", "mpi-operator", "--wait")
    operator = site.operator("default", "mpi-operator")
    person.types("job", "ks", "apply", "default", "-c", BENCHMARK, "--wait")
    old = f"/apis/kubeflow.org/v1alpha1/namespaces/default/mpijobs/{BENCHMARK}"
    person.looks_at("the job", old)
    person.looks_at("its hosts", f"/api/v1/namespaces/default/configmaps/{BENCHMARK}-config")
    person.told["its children"] = site.children("default", BENCHMARK)
    person.types("again", "ks", "apply", "default")
    person.types("set", "ks", "param", "set", "mpi-operator", "gpusPerNode", "4")
    person.types("dry run", "ks", "apply", "default", "--dry-run")
    _generates(person)
    site.api.create(JOBS.format("default"), _another_job())
    person.types("delete beside another's job", "ks", "delete", "default")
    operator.stop()
    site.api.delete(f"{JOBS.format('default')}/other")
    person.types("delete the rest", "ks", "delete", "default")
    person.types("delete once more", "ks", "delete", "default")
    return person.told


def _generates(person):
    """Generate jobs for the cluster, and delete them again."""
    words = ("--cluster", "--apply", "--wait", "--api-version", "v1alpha1")
    person.types("custom", "generate", "custom", "custom", "-p", "gpusPerReplica=0", *words)
    person.types("late", "generate", "simple", "late", *words, "--timeout", "0.01s")
    nowhere = ("--cluster", "--apply", "-n", "nowhere")
    person.types("nowhere", "generate", "simple", "nowhere", *nowhere)
    person.types("clean up", "delete", "--cluster", "custom", "late")


def test_a_job_before_its_operator_is_told_what_is_missing(quickstart):
    code, _, said = quickstart["too early"]
    what = "the cluster does not know MPIJobs of kubeflow.org/v1alpha1"
    assert (code, said) == (
        exits.NOT_FOUND,
        [
            f"error: mpijob.kubeflow.org/{BENCHMARK}: {what}",
            "hint: `mpijob install` puts their definition and the operator there",
        ],
    )


def test_another_operator_is_warned_of(quickstart):
    code, _, [said] = quickstart["a rival"]
    assert (code, said.partition(": two that")[0]) == (
        exits.OK,
        "warning: mpi-operator is at work: Deployment kube-public/old",
    )


def test_the_operator_is_made_and_ready(quickstart):
    code, said, _ = quickstart["operator"]
    assert (code, said[0], said[-2:]) == (
        exits.OK,
        f"{DEFINITION} created",
        ["deployment.apps/mpi-operator created", "deployment.apps/mpi-operator ready"],
    )


def test_the_job_is_made_and_has_succeeded(quickstart):
    name = f"mpijob.kubeflow.org/{BENCHMARK}"
    assert quickstart["job"] == (exits.OK, [f"{name} created", f"{name} Succeeded"], [])


def test_the_job_reads_back_as_it_was_made(quickstart):
    container = {"name": BENCHMARK, "image": "mpijob/tensorflow-benchmarks:latest"}
    assert quickstart["the job"]["spec"] == {
        "gpus": 16,
        "template": {"spec": {"containers": [container]}},
    }


def test_sixteen_gpus_are_two_workers_of_eight(quickstart):
    assert quickstart["its hosts"]["data"]["hostfile"].splitlines() == [
        f"{BENCHMARK}-worker-0 slots=8",
        f"{BENCHMARK}-worker-1 slots=8",
    ]


def test_the_launcher_has_the_documents_name(quickstart):
    assert quickstart["its children"]["jobs"] == [f"{BENCHMARK}-launcher"]


def test_what_is_there_already_is_unchanged(quickstart):
    code, said, _ = quickstart["again"]
    assert (code, [line for line in said if not line.endswith(" unchanged")]) == (exits.OK, [])


def test_a_dry_run_says_what_would_change(quickstart):
    _, said, _ = quickstart["dry run"]
    changed = [line for line in said if "unchanged" not in line]
    assert changed == ["deployment.apps/mpi-operator configured (dry run)"]


def test_a_generated_job_is_made_and_waited_for(quickstart):
    name = "mpijob.kubeflow.org/custom"
    assert quickstart["custom"] == (exits.OK, [f"{name} created", f"{name} Succeeded"], [])


def test_a_wait_ends_with_its_time(quickstart):
    code, _, said = quickstart["late"]
    told = ["error: timed out: not all of it is ready, or has ended"]
    assert (code, said) == (exits.TIMED_OUT, told)


def test_a_namespace_that_is_not_there_is_told_how_to_make(quickstart):
    code, _, said = quickstart["nowhere"]
    assert (code, said[-1]) == (exits.NOT_FOUND, "hint: kubectl create namespace nowhere")


def test_all_that_the_application_made_is_told_as_it_goes(quickstart):
    _, said, _ = quickstart["delete beside another's job"]
    assert said == [
        f"mpijob.kubeflow.org/{BENCHMARK} deleted",
        "deployment.apps/mpi-operator deleted",
        "rolebinding.rbac.authorization.k8s.io/mpi-operator-lease deleted",
        "role.rbac.authorization.k8s.io/mpi-operator-lease deleted",
        "clusterrolebinding.rbac.authorization.k8s.io/mpi-operator deleted",
        "clusterrole.rbac.authorization.k8s.io/mpi-operator deleted",
        "serviceaccount/mpi-operator deleted",
    ]


def test_the_definition_stays_while_others_have_jobs(quickstart):
    code, _, said = quickstart["delete beside another's job"]
    told = [f"{DEFINITION} stays, since others have MPIJobs: 1 of them"]
    assert (code, said) == (exits.OK, told)


def test_the_definition_goes_where_nobody_has_jobs(quickstart):
    assert quickstart["delete the rest"] == (exits.OK, [f"{DEFINITION} deleted"], [])


def test_deleting_once_more_finds_nothing(quickstart):
    assert quickstart["delete once more"] == (exits.OK, [], ["nothing of it is there"])


# The openmpi package, as far as fake nodes play it: its pods run, and never end.

HOSTS = {
    "/api/v1/namespaces/kubeflow/": ("configmaps", "services", "serviceaccounts", "pods"),
    "/apis/rbac.authorization.k8s.io/v1/": ("clusterrolebindings",),
}


def _hosts(api):
    """Return the names of all that there is of the component openmpi, by the label that it has."""
    paths = [root + kind for root, kinds in HOSTS.items() for kind in kinds]
    found = [api.read(path, labelSelector="app=openmpi")["items"] for path in paths]
    return sorted(item["metadata"]["name"] for items in found for item in items)


@pytest.fixture(scope="module")
def hosts(site, tmp_path_factory):
    """What was told to who typed the quickstart of openmpi, and changed and deleted it."""
    person = Person(site, tmp_path_factory.mktemp("hosts"))
    person.makes_an_application("openmpi")
    person.types("env", "ks", "env", "set", "default", "--namespace", site.space("kubeflow"))
    words = ("--image", "example.com/mpi:1", "--secret", "openmpi-secret", "--workers", "2")
    person.types("generate", "ks", "generate", "openmpi", "openmpi", *words)
    person.types("made", "ks", "apply", "default")
    person.told["there"] = _hosts(site.api)
    person.types("again", "ks", "apply", "default")
    person.types("set", "ks", "param", "set", "openmpi", "exec", "hostname")
    person.types("changed", "ks", "apply", "default")
    person.types("fewer", "ks", "param", "set", "openmpi", "workers", "1")
    person.types("deleted", "ks", "delete", "default")
    person.told["left"] = _hosts(site.api)
    return person.told


def test_hosts_are_made(hosts):
    pods = ["openmpi-master", "openmpi-worker-0", "openmpi-worker-1"]
    assert set(hosts["there"]) == {"openmpi", "openmpi-assets", *pods}


def test_hosts_make_no_difference_the_second_time(hosts):
    code, said, _ = hosts["made"]
    unchanged = [line.replace(" created", " unchanged") for line in said]
    assert (code, hosts["again"]) == (exits.OK, (exits.OK, unchanged, []))


def test_pods_that_cannot_be_changed_are_to_be_deleted_first(hosts):
    code, _, said = hosts["changed"]
    assert (code, said) == (
        exits.CONFLICT,
        [
            "error: pod/openmpi-master is there already, and a pod cannot be changed",
            "hint: delete it first",
        ],
    )


def test_workers_above_a_number_that_was_lowered_are_deleted_too(hosts):
    code, said, _ = hosts["deleted"]
    assert (code, said[0]) == (exits.OK, "pod/openmpi-worker-1 deleted")


def test_deleting_hosts_leaves_nothing(hosts):
    assert hosts["left"] == []


# The document's GPU training: workers for which no node has room, until one joins.

POOL = "mpijob.test/pool"
TRAINING = {
    "gpu": "4",
    "cpu": "3",
    "memory": "2Gi",
    "nodeSelector": f"{POOL}=k80",
    "initTimeout": "600",
}


def _is_placed(status):
    def so(pod):
        rows = pod["status"].get("conditions", ())
        return any(row["type"] == "PodScheduled" and row["status"] == status for row in rows)

    return so


@pytest.fixture(scope="module")
def training(site, tmp_path_factory):
    """What became of two workers whose node joins once the scheduler has found none for them."""
    person = Person(site, tmp_path_factory.mktemp("training"))
    person.makes_an_application("openmpi")
    person.types("env", "ks", "env", "set", "default", "--namespace", site.space("training"))
    words = [word for name, value in TRAINING.items() for word in (f"--{name}", value)]
    needed = ("--image", "example.com/mpi:1", "--secret", "keys", "--workers", "2")
    person.types("generate", "ks", "generate", "openmpi", "train", *needed, *words)
    person.types("made", "ks", "apply", "default")
    pods = "/api/v1/namespaces/training/pods"
    names = [f"metadata.name=train-worker-{index}" for index in range(2)]
    told = person.told
    told["waiting"] = [site.api.until(pods, _is_placed("False"), fieldSelector=n) for n in names]
    joins = node(GPU_EVERY * 100)  # It has GPUs.
    joins["metadata"]["labels"][POOL] = "k80"
    site.api.create("/api/v1/nodes", joins)
    told["node"] = joins["metadata"]["name"]
    told["placed"] = [site.api.until(pods, _is_placed("True"), fieldSelector=n) for n in names]
    told["master"] = site.api.read(f"{pods}/train-master")
    return told


def test_workers_for_whom_no_node_has_room_wait_and_the_scheduler_says_why(training):
    rows = [
        row
        for pod in training["waiting"]
        for row in pod["status"]["conditions"]
        if row["type"] == "PodScheduled"
    ]
    assert [(row["reason"], "didn't match" in row["message"]) for row in rows] == [
        ("Unschedulable", True)
    ] * 2


def test_a_node_that_joins_later_gets_them(training):
    assert {pod["spec"]["nodeName"] for pod in training["placed"]} == {training["node"]}


def test_what_was_said_of_workers_reaches_their_pods(training):
    [worker, _] = training["placed"]
    limits = worker["spec"]["containers"][0]["resources"]["limits"]
    assert (limits, worker["spec"]["nodeSelector"]) == (
        {GPU: "4", "cpu": "3", "memory": "2Gi"},
        {POOL: "k80"},
    )


def test_master_worker_and_controller_wait_as_long_as_was_said(training):
    [worker, _] = training["placed"]
    containers = [*training["master"]["spec"]["containers"], *worker["spec"]["containers"]]
    assert [container["command"][-1] for container in containers] == ["600"] * 3
