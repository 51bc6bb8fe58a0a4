"""The transcript of mpi-operator v0.2's document, second by second, on a real API server.

It is what kubectl printed of a job of July 2019 after its end. Here the definition comes by the
document's command, the operator's engine runs in this process by a clock that the test moves, and
the test says what the Job's controller and the nodes would say, who know today's time alone.
"""

import asyncio
import subprocess
from copy import deepcopy
from datetime import UTC, datetime

import pytest
import yaml

from harness.control_plane import ControlPlane
from harness.recipes import TOP
from harness.unavailable import Unavailable
from mpijob.core import options
from mpijob.core.config import Config
from mpijob.core.plan import Kind
from mpijob.core.version import Version
from mpijob.engine.cache import CHILD_KINDS
from mpijob.engine.control import Engine, Outside
from mpijob.keys import DrawnKeys
from mpijob.kube.client import Client
from mpijob.kube.config import connection
from mpijob.kube.objects import KubeObjects
from mpijob.kube.resources import Paths

NAME = "tensorflow-benchmarks"
WORKER = f"{NAME}-worker-0"
GPU = "nvidia.com/gpu"
JOBS = "/apis/kubeflow.org/v1alpha2/namespaces/default/mpijobs"
LAUNCHERS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"
#: Nobody here has gang schedulers, whose kinds a server does not know.
KINDS = [kind for kind in CHILD_KINDS if kind not in (Kind.POD_GROUP, Kind.PRIORITY_CLASS)]
MADE, RUNS, ENDED = "22:15:51", "22:15:54", "22:17:06"
#: What the document shows from `status:` on.
STATUS = """\
status:
  completionTime: "2019-07-09T22:17:06Z"
  conditions:
  - lastTransitionTime: "2019-07-09T22:15:51Z"
    lastUpdateTime: "2019-07-09T22:15:51Z"
    message: MPIJob default/tensorflow-benchmarks is created.
    reason: MPIJobCreated
    status: "True"
    type: Created
  - lastTransitionTime: "2019-07-09T22:15:54Z"
    lastUpdateTime: "2019-07-09T22:15:54Z"
    message: MPIJob default/tensorflow-benchmarks is running.
    reason: MPIJobRunning
    status: "False"
    type: Running
  - lastTransitionTime: "2019-07-09T22:17:06Z"
    lastUpdateTime: "2019-07-09T22:17:06Z"
    message: MPIJob default/tensorflow-benchmarks successfully completed.
    reason: MPIJobSucceeded
    status: "True"
    type: Succeeded
  replicaStatuses:
    Launcher:
      succeeded: 1
    Worker: {}
  startTime: "2019-07-09T22:15:51Z"
"""


def _written():
    """The document's job: our example of that version, with one worker of two GPUs."""
    text = (TOP / "examples" / "v1alpha2" / "tensorflow-benchmarks.yaml").read_text()
    made = yaml.safe_load(text.replace("mpijob/tensorflow", "mpioperator/tensorflow"))
    made["spec"]["slotsPerWorker"] = 2
    worker = made["spec"]["mpiReplicaSpecs"]["Worker"]
    worker["replicas"] = 1
    worker["template"]["spec"]["containers"][0]["resources"]["limits"][GPU] = 2
    return made


def _stamp(clock):
    return f"2019-07-09T{clock}Z"


class Clock:
    """What time it is: what the test says."""

    def __init__(self):
        self.at(MADE)

    def at(self, clock):
        """Move it."""
        self.now = datetime.fromisoformat(_stamp(clock)).astimezone(UTC)


class World:
    """The cluster as the Job's controller and a node see it."""

    def __init__(self, api, clock):
        self.api, self.clock = api, clock

    def play(self):
        """The job's life, as the document's times tell it."""
        self.api.create(
            "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}}
        )
        self.api.create(JOBS, _written())
        launcher = self.api.until(LAUNCHERS, lambda _: True)
        self.api.until(PODS, lambda pod: pod["metadata"]["name"] == WORKER)
        self.clock.at(RUNS)
        pod = self.api.create(PODS, _pod_of(launcher))["metadata"]["name"]
        for name in (WORKER, pod):
            self._say(PODS, name, phase="Running", startTime=_stamp(RUNS))
        began = {"startTime": _stamp(RUNS)}
        self._say(LAUNCHERS, launcher["metadata"]["name"], active=1, **began)
        self.api.until(JOBS, lambda job: "Running" in _conditions(job))
        self.clock.at(ENDED)
        self._say(PODS, pod, phase="Succeeded")
        rows = [
            {"type": each, "status": "True", "lastTransitionTime": _stamp(ENDED)}
            for each in ("SuccessCriteriaMet", "Complete")
        ]
        done = {"active": 0, "succeeded": 1, "completionTime": _stamp(ENDED), "conditions": rows}
        self._say(LAUNCHERS, launcher["metadata"]["name"], **done, **began)
        self.api.until(JOBS, lambda job: "Succeeded" in _conditions(job))
        self.api.until_gone(PODS, WORKER)

    def _say(self, collection, name, **status):
        self.api.merge(f"{collection}/{name}/status", {"status": status})


def _pod_of(launcher):
    """The pod that the Job's controller makes."""
    about, template = launcher["metadata"], deepcopy(launcher["spec"]["template"])
    owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
    owner |= {"name": about["name"], "uid": about["uid"]}
    template["metadata"] |= {"name": f"{about['name']}-x7f2p", "ownerReferences": [owner]}
    return template


def _conditions(job):
    return {row["type"] for row in job.get("status", {}).get("conditions", ())}


async def _replayed(cluster):
    """Have the operator look after the job from its beginning to its end."""
    clock = Clock()
    async with Client(connection(cluster.kubeconfig)) as client:
        objects = KubeObjects(client, Paths(version=Version.V1ALPHA2))
        outside = Outside(objects, DrawnKeys(), lambda: clock.now)
        config = Config(kubectl_delivery_image="mpioperator/kubectl-delivery:latest")
        running = asyncio.create_task(Engine(outside, config, kinds=KINDS).run())
        with cluster.api() as api:
            await asyncio.to_thread(World(api, clock).play)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory):
    """What types a command for a server that nobody else speaks to; returns what it printed."""
    home = tmp_path_factory.mktemp("transcript")
    try:
        with ControlPlane(home / "plane", has_controllers=False) as plane:

            def typed(*words):
                return subprocess.run(
                    [plane.cluster.binaries["kubectl"], *words],
                    env={"KUBECONFIG": plane.cluster.kubeconfig, "HOME": str(home)},
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=60,
                ).stdout

            typed("create", "-f", str(TOP / "deploy" / "crd" / "crd-v1alpha2.yaml"))
            with plane.cluster.api() as api:
                api.until_answers(JOBS)
            asyncio.run(_replayed(plane.cluster))
            yield typed
    except Unavailable as lacking:
        pytest.skip(f"no real control plane: {lacking}")


@pytest.fixture(scope="module")
def shown(kubectl):
    """What the document's command prints."""
    return kubectl("get", "-o", "yaml", "mpijobs", NAME)


def test_the_status_is_the_documents_to_the_letter(shown):
    assert shown[shown.index("status:\n") :] == STATUS


def test_the_job_is_shown_in_its_version_as_it_was_written(shown):
    found, written = yaml.safe_load(shown), _written()
    assert {key: found[key] for key in ("apiVersion", "kind", "spec")} == {
        key: written[key] for key in ("apiVersion", "kind", "spec")
    }


def test_the_operators_writes_are_no_new_generation(shown):
    about = yaml.safe_load(shown)["metadata"]
    assert {key: about[key] for key in ("generation", "name", "namespace")} == {
        "generation": 1,
        "name": NAME,
        "namespace": "default",
    }


def test_all_that_is_shown_beyond_the_document_is_the_version_in_an_annotation(shown):
    about = yaml.safe_load(shown)["metadata"]
    given = {"creationTimestamp", "generation", "name", "namespace", "resourceVersion", "uid"}
    assert (about.keys() - given, about["annotations"]) == (
        {"annotations"},
        {options.WRITTEN_IN: "v1alpha2"},
    )


def test_the_documents_selector_finds_the_launcher(kubectl):
    labels = f"mpi_job_name={NAME},mpi_role_type=launcher"
    assert kubectl("get", "pods", "-l", labels, "-o", "name").split() == [
        f"pod/{NAME}-launcher-x7f2p"
    ]


def test_no_worker_is_left_and_the_launcher_is(kubectl):
    assert kubectl("get", "pods", "-o", "name").split() == [f"pod/{NAME}-launcher-x7f2p"]


def test_the_documents_definition_is_listed(kubectl):
    assert "mpijobs.kubeflow.org" in kubectl("get", "crd")
