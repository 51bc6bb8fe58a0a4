"""mpi-operator v0.8.2's integration tests (test/integration), on a real API server.

As there, nobody runs the pods: the tests say of each what a node would say. The Job controller is
the real one, where theirs has none. The two cases with gang schedulers are in test_gang.py.
"""

import pytest

from harness.fake_site import JOBS, job_of
from mpijob.core import names

PODS = "/api/v1/namespaces/{}/pods"
EVENTS = "/api/v1/namespaces/{}/events"
LAUNCHERS = "/apis/batch/v1/namespaces/{}/jobs"
ROLE = names.JOB_ROLE_LABEL
GATE = "example.com/nobody"


def job(name="pi", **spec):
    """A job whose pods no scheduler takes, so that nobody but the test speaks for them."""
    container = {"name": "mpi", "image": "example.com/mpi:1"}
    unseen = {"schedulerName": "nobody", "containers": [container]}
    launcher = {**unseen, "containers": [{**container, "command": ["mpirun"]}]}
    roles = {
        "Launcher": {"replicas": 1, "template": {"spec": launcher}},
        "Worker": {"replicas": 2, "template": {"spec": unseen}},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {**spec, "mpiReplicaSpecs": roles},
    }


class Scene:
    """One namespace, seen as a user, a scheduler and a node see it."""

    def __init__(self, api, namespace):
        self.api = api
        self.jobs, self.pods = JOBS.format(namespace), PODS.format(namespace)
        self.launchers, self.events = LAUNCHERS.format(namespace), EVENTS.format(namespace)
        self.namespace = namespace

    def until(self, is_so):
        """Return the job once it is so."""
        return self.api.until(self.jobs, is_so, fieldSelector="metadata.name=pi")

    def pod(self, role, *, but=()):
        """Return a pod of that role once there is one that is none of `but`."""
        return self.api.until(
            self.pods,
            lambda pod: pod["metadata"]["name"] not in but,
            labelSelector=f"{ROLE}={role}",
        )

    def say(self, name, phase, *, ready=True, **more):
        """Say of a pod what its node would say."""
        rows = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": phase, "conditions": rows, **more}
        self.api.merge(f"{self.pods}/{name}/status", {"status": status})

    def workers_run(self, *, ready=True):
        """Have both workers run."""
        for name in ("pi-worker-0", "pi-worker-1"):
            query = {"fieldSelector": f"metadata.name={name}"}
            self.api.until(self.pods, lambda _: True, **query)
            self.say(name, "Running", ready=ready)

    def event(self, reason):
        """Return the job's event of that reason, once it is there."""
        about = {"fieldSelector": f"involvedObject.name=pi,reason={reason}"}
        found = self.api.until(self.events, lambda _: True, **about)
        return found["type"], found["source"]["component"], found["reportingComponent"]

    def there(self, path):
        """Return the names of what is there that a job owns."""
        return sorted(
            item["metadata"]["name"] for item in self.api.read(path)["items"] if job_of(item)
        )


@pytest.fixture
def scene(operator, api, namespace):
    """A namespace with an operator."""
    return Scene(api, namespace)


def conditions(found):
    """Return each condition's status."""
    rows = found.get("status", {}).get("conditions") or ()
    return {row["type"]: row["status"] for row in rows}


def is_true(type_):
    return lambda found: conditions(found).get(type_) == "True"


def counts(found):
    return found["status"]["replicaStatuses"]


def mounted(pod, volume):
    """Whether every container of ours mounts it."""
    return volume in {mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}


NORMAL = ("Normal", "mpi-job-controller", "mpi-job-controller")


def test_mpi_job_success(scene):
    """`TestMPIJobSuccess`."""
    scene.api.create(scene.jobs, job(runPolicy={"cleanPodPolicy": "Running"}))
    told = [scene.event("MPIJobCreated")]
    scene.workers_run()
    active = scene.until(lambda found: counts(found).get("Worker") == {"active": 2})
    launcher = scene.pod("launcher")["metadata"]["name"]
    scene.say(launcher, "Running")
    running = scene.until(is_true("Running"))
    told.append(scene.event("MPIJobRunning"))
    scene.say(launcher, "Succeeded", ready=False)
    ended = scene.until(is_true("Succeeded"))
    told.append(scene.event("MPIJobSucceeded"))
    for name in ("pi-worker-0", "pi-worker-1"):
        scene.api.until_gone(scene.pods, name)
    assert (told, counts(active), counts(running), counts(ended), conditions(ended)) == (
        [NORMAL] * 3,
        {"Launcher": {}, "Worker": {"active": 2}},
        {"Launcher": {"active": 1}, "Worker": {"active": 2}},
        {"Launcher": {"succeeded": 1}, "Worker": {}},
        {"Created": "True", "Running": "False", "Succeeded": "True"},
    )


def test_the_children_fit_together(scene):
    """What `validateMPIJobDependencies` and its like look at."""
    scene.api.create(scene.jobs, job())
    launcher, worker = scene.pod("launcher"), scene.pod("worker")
    space = f"/api/v1/namespaces/{scene.namespace}"
    selector = scene.api.read(f"{space}/services/pi")["spec"]["selector"]
    keys = scene.api.read(f"{space}/secrets/pi-ssh")
    text = scene.api.read(f"{space}/configmaps/pi-config")["data"]
    assert (
        selector.items() <= worker["metadata"]["labels"].items(),
        (keys["type"], sorted(keys["data"])),
        {"hostfile", "discover_hosts.sh"} <= text.keys(),
        [mounted(pod, "ssh-auth") for pod in (launcher, worker)],
        mounted(launcher, "mpi-job-config"),
    ) == (
        True,
        ("kubernetes.io/ssh-auth", ["ssh-privatekey", "ssh-publickey"]),
        True,
        [True, True],
        True,
    )


def test_mpi_job_wait_workers(scene):
    """`TestMPIJobWaitWorkers`."""
    scene.api.create(scene.jobs, job(launcherCreationPolicy="WaitForWorkersReady"))
    scene.workers_run(ready=False)
    waiting = scene.until(lambda found: counts(found).get("Worker") == {"active": 2})
    launchers = scene.there(scene.launchers)
    scene.workers_run()
    scene.say(scene.pod("launcher")["metadata"]["name"], "Running")
    running = scene.until(is_true("Running"))
    assert (counts(waiting), launchers, counts(running)) == (
        {"Worker": {"active": 2}},
        [],
        {"Launcher": {"active": 1}, "Worker": {"active": 2}},
    )


def directives(mark):
    """What a queue writes into a template while a job is held."""
    return {
        "metadata": {"labels": {"queue": mark}, "annotations": {"told-by": mark}},
        "spec": {"nodeSelector": {"pool": mark}, "schedulingGates": [{"name": GATE}]},
    }


def resume(scene, mark):
    """Write directives into both templates, and let the job go."""
    roles = {role: {"template": directives(mark)} for role in ("Launcher", "Worker")}
    fields = {"runPolicy": {"suspend": False}, "mpiReplicaSpecs": roles}
    scene.api.merge(f"{scene.jobs}/pi", {"spec": fields})


def marks(pod):
    """Return what of the directives a pod has."""
    spec, metadata = pod["spec"], pod["metadata"]
    gates = [gate["name"] for gate in spec.get("schedulingGates", ())]
    annotation = metadata["annotations"]["told-by"]
    return metadata["labels"]["queue"], annotation, spec["nodeSelector"]["pool"], gates


def ungate(scene, name):
    """Let a pod be scheduled: one with a gate may not run."""
    body = {"spec": {"schedulingGates": None}}
    scene.api.did(
        scene.api.ask(
            "PATCH",
            f"{scene.pods}/{name}",
            body,
            content_type="application/strategic-merge-patch+json",
        )
    )


def test_mpi_job_resuming_and_suspending(scene):
    """`TestMPIJobResumingAndSuspending`."""
    scene.api.create(scene.jobs, job(runPolicy={"suspend": True}))
    held = scene.until(is_true("Suspended"))
    scene.api.until(scene.launchers, lambda found: found["spec"]["suspend"])
    story = [(conditions(held), "startTime" in held["status"], scene.there(scene.pods))]
    gone = set()
    for mark in ("first", "second"):
        resume(scene, mark)
        launcher, worker = (scene.pod(role, but=gone) for role in ("launcher", "worker"))
        story.append((marks(launcher), marks(worker)))
        for name in (launcher["metadata"]["name"], "pi-worker-0", "pi-worker-1"):
            scene.api.until(scene.pods, lambda _: True, fieldSelector=f"metadata.name={name}")
            ungate(scene, name)
            scene.say(name, "Running")
        running = scene.until(is_true("Running"))
        story.append((conditions(running)["Suspended"], "startTime" in running["status"]))
        scene.api.merge(f"{scene.jobs}/pi", {"spec": {"runPolicy": {"suspend": True}}})
        held = scene.until(is_true("Suspended"))
        for name in (launcher["metadata"]["name"], "pi-worker-0", "pi-worker-1"):
            scene.api.until_gone(scene.pods, name)
        gone.add(launcher["metadata"]["name"])
        story.append((conditions(held)["Running"], scene.there(scene.pods)))
    first, second = (marked(mark) for mark in ("first", "second"))
    assert story == [
        ({"Created": "True", "Suspended": "True", "Running": "False"}, False, []),
        *((first, first), ("False", True), ("False", [])),
        *((second, second), ("False", True), ("False", [])),
    ]


def marked(mark):
    return mark, mark, mark, [GATE]


def test_mpi_job_failure(scene):
    """`TestMPIJobFailure`. The second try comes after the Job controller's pause of 10 s."""
    scene.api.create(scene.jobs, job(runPolicy={"cleanPodPolicy": "Running", "backoffLimit": 1}))
    scene.workers_run()
    first = scene.pod("launcher")["metadata"]["name"]
    scene.say(first, "Running")
    scene.until(is_true("Running"))
    why = {"reason": "FailedReason1", "message": "first message"}
    scene.say(first, "Failed", ready=False, **why)
    once = scene.until(lambda found: counts(found).get("Launcher", {}).get("failed") == 1)
    second = scene.pod("launcher", but={first})["metadata"]["name"]
    why = {"reason": "FailedReason2", "message": "second message"}
    scene.say(second, "Failed", ready=False, **why)
    ended = scene.until(is_true("Failed"))
    for name in ("pi-worker-0", "pi-worker-1"):
        scene.api.until_gone(scene.pods, name)
    row = next(row for row in ended["status"]["conditions"] if row["type"] == "Failed")
    assert (
        conditions(once).get("Failed"),
        counts(ended),
        conditions(ended)["Running"],
        (row["reason"], row["message"].rpartition(": ")[2]),
        scene.event("BackoffLimitExceeded/FailedReason2")[0],
    ) == (
        None,
        {"Launcher": {"failed": 2}, "Worker": {}},
        "False",
        ("BackoffLimitExceeded/FailedReason2", "second message"),
        "Warning",
    )


def test_mpi_job_managed_externally(scene):
    """`TestMPIJobManagedExternally`. A job that came later shows that it has been looked at."""
    theirs = job("theirs", runPolicy={"managedBy": "kueue.x-k8s.io/multikueue"})
    scene.api.create(scene.jobs, theirs)
    scene.api.create(scene.jobs, job())
    scene.pod("launcher")
    there = {job_of(item) for item in scene.api.read(scene.launchers)["items"]}
    services = {
        item["metadata"]["name"]
        for item in scene.api.read(f"/api/v1/namespaces/{scene.namespace}/services")["items"]
    }
    told = scene.api.read(f"{scene.jobs}/theirs").get("status")
    assert (there, services, told) == ({"pi"}, {"pi"}, None)
