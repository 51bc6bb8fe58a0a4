"""Jobs of older versions on real nodes: started by `kubectl exec`, and as old documents show them.

The benchmark is the one that mpi-operator v0.2's documents run, with their very command line; that
the nodes have GPUs is what we tell the API server.
"""

import copy
import re
import subprocess

import pytest
import yaml

from harness.manifests import AS_ROOT
from harness.recipes import TOP
from mpijob.testing.benchmark_log import shape

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

GPU = "nvidia.com/gpu"
_MPICH = ("mpirun", "-n", "2", "hostname")
# By default daemons are started through others only where there are more than 64 hosts.
_RADIX = [
    {"name": n, "value": "2"} for n in ("OMPI_MCA_routed_radix", "PRTE_MCA_prte_routed_radix")
]

#: What is started by exec: the image, the command, how many workers, and the launcher's variables.
EXECS = {
    "exec-openmpi-4": ("openmpi-4", AS_ROOT, 2, []),
    "exec-openmpi-5": ("openmpi-5", AS_ROOT, 2, []),
    "exec-mpich": ("mpich", _MPICH, 2, []),
    "exec-many-4": ("openmpi-4", AS_ROOT, 5, _RADIX),
    "exec-many-5": ("openmpi-5", AS_ROOT, 5, _RADIX),
}
#: The document's benchmark, by the version that it is written in.
BENCHMARKS = {"of-v1alpha1": "v1alpha1", "of-v1alpha2": "v1alpha2", "of-v2beta1": "v2beta1"}
ONE_WORKER = "one-worker"
SHAPE = shape(batches=100, epochs="0.01", steps=r"\d+", lines=22)


def _exec_job(name, image, command, workers, env):
    container = {"name": "mpi", "image": image}
    launcher = {**container, "command": list(command), "env": env}
    return {
        "apiVersion": "kubeflow.org/v1alpha2",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {
            "mpiDistribution": "MPICH" if "mpich" in name else "OpenMPI",
            "mpiReplicaSpecs": {
                "Launcher": {"replicas": 1, "template": {"spec": {"containers": [launcher]}}},
                "Worker": {"replicas": workers, "template": {"spec": {"containers": [container]}}},
            },
        },
    }


def _benchmark(name, version, image):
    text = (TOP / "examples" / version / "tensorflow-benchmarks.yaml").read_text()
    manifest = yaml.safe_load(text.replace("mpijob/tensorflow-benchmarks:latest", image))
    manifest["metadata"]["name"] = name
    return manifest


def _with_one_worker(manifest):
    """Return the job as the document's transcript shows it: one worker with two GPUs."""
    made = copy.deepcopy(manifest)
    made["metadata"]["name"] = ONE_WORKER
    made["spec"]["slotsPerWorker"] = 2
    worker = made["spec"]["mpiReplicaSpecs"]["Worker"]
    worker["replicas"] = 1
    worker["template"]["spec"]["containers"][0]["resources"]["limits"][GPU] = 2
    return made


@pytest.fixture(scope="module")
def manifests(images):
    execs = [_exec_job(name, images[row[0]], *row[1:]) for name, row in EXECS.items()]
    image = images["tensorflow-benchmarks"]
    benchmarks = [_benchmark(name, version, image) for name, version in BENCHMARKS.items()]
    one = _with_one_worker(_benchmark("", "v1alpha2", image))
    return {made["metadata"]["name"]: made for made in (*execs, *benchmarks, one)}


@pytest.fixture(scope="module")
def runs(site, space, manifests):
    return site.run(space, *manifests.values())


@pytest.fixture
def kubectl(site, space, runs, tmp_path_factory):
    """Types a command of kubectl in the namespace of the jobs; returns what it printed."""
    home = tmp_path_factory.mktemp("home")

    def typed(*words):
        return subprocess.run(
            [site.cluster.binaries["kubectl"], "-n", space, *words],
            # kubectl keeps what it has discovered in its home.
            env={"KUBECONFIG": site.cluster.kubeconfig, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    return typed


@pytest.mark.parametrize("name", EXECS)
def test_each_worker_runs_one_rank_that_exec_started(runs, name):
    count = EXECS[name][2]
    assert runs[name].hosts == [f"{name}-worker-{index}" for index in range(count)]


@pytest.mark.parametrize("name", [*EXECS, *BENCHMARKS, ONE_WORKER])
def test_the_job_succeeds_without_a_failed_launcher(runs, name):
    failed = [pod for pod in runs[name].role("launcher") if pod["status"]["phase"] == "Failed"]
    assert (runs[name].end, failed) == ("Succeeded", [])


@pytest.mark.parametrize("name", [*BENCHMARKS, ONE_WORKER])
def test_the_benchmark_of_the_document_prints_a_log_of_its_shape(runs, name):
    output = "".join(f"{line}\n" for line in runs[name].output.splitlines())
    assert re.search(SHAPE, output), output


@pytest.mark.parametrize("name", [*BENCHMARKS, ONE_WORKER, "exec-mpich"])
def test_the_selector_of_the_document_finds_one_launcher(kubectl, name):
    labels = f"mpi_job_name={name},mpi_role_type=launcher"
    pods = kubectl("get", "pods", "-l", labels, "-o", "name").split()
    assert [pod.startswith(f"pod/{name}-launcher") for pod in pods] == [True]


def test_the_selected_pod_has_a_log_without_a_container_being_named(kubectl):
    labels = f"mpi_job_name={ONE_WORKER},mpi_role_type=launcher"
    pod = kubectl("get", "pods", "-l", labels, "-o", "name").strip()
    assert "total images/sec:" in kubectl("logs", "-f", pod)


@pytest.mark.parametrize("name", ["of-v1alpha1", "of-v1alpha2", ONE_WORKER])
def test_a_job_reads_back_as_it_was_written(kubectl, manifests, name):
    wanted = manifests[name]
    version = wanted["apiVersion"].rpartition("/")[2]
    text = kubectl("get", "-o", "yaml", f"mpijobs.{version}.kubeflow.org", name)
    found = yaml.safe_load(text)
    assert (found["apiVersion"], found["spec"], found["metadata"]["generation"]) == (
        wanted["apiVersion"],
        wanted["spec"],
        1,
    )


def test_the_status_is_that_of_the_document(kubectl, space):
    text = kubectl("get", "-o", "yaml", "mpijobs.v1alpha2.kubeflow.org", ONE_WORKER)
    status = yaml.safe_load(text)["status"]
    rows = [
        (row["type"], row["status"], row["reason"], row["message"]) for row in status["conditions"]
    ]
    what = f"MPIJob {space}/{ONE_WORKER}"
    assert (rows, status["replicaStatuses"], set(status)) == (
        [
            ("Created", "True", "MPIJobCreated", f"{what} is created."),
            ("Running", "False", "MPIJobRunning", f"{what} is running."),
            ("Succeeded", "True", "MPIJobSucceeded", f"{what} successfully completed."),
        ],
        {"Launcher": {"succeeded": 1}, "Worker": {}},
        {"completionTime", "conditions", "replicaStatuses", "startTime"},
    )


def test_the_times_of_the_status_are_those_of_its_conditions(kubectl):
    text = kubectl("get", "-o", "yaml", "mpijobs.v1alpha2.kubeflow.org", ONE_WORKER)
    status = yaml.safe_load(text)["status"]
    created, running, succeeded = status["conditions"]
    # An end leaves the time of `Running` as it was.
    assert (status["startTime"], running["lastUpdateTime"]) == (
        created["lastTransitionTime"],
        running["lastTransitionTime"],
    )
    # The launcher ended then; that it did was seen a moment later.
    assert running["lastTransitionTime"] < status["completionTime"]
    assert status["completionTime"] <= succeeded["lastTransitionTime"]


REVIEWS = {
    "its own worker": ("exec-openmpi-4", True),
    "a worker of another job": ("exec-openmpi-5", False),
}


@pytest.mark.parametrize(("of", "want"), REVIEWS.values(), ids=REVIEWS)
def test_a_launcher_may_execute_in(site, space, runs, of, want):
    review = "authorization.k8s.io/v1"
    attributes = {"namespace": space, "resource": "pods", "subresource": "exec", "verb": "create"}
    spec = {
        "user": f"system:serviceaccount:{space}:exec-openmpi-4-launcher",
        "resourceAttributes": {**attributes, "name": f"{of}-worker-0"},
    }
    body = {"kind": "SubjectAccessReview", "apiVersion": review, "spec": spec}
    with site.api() as api:
        made = api.create(f"/apis/{review}/subjectaccessreviews", body)
    assert made["status"]["allowed"] is want
