"""What Kueue does to an MPIJob and reads of it, call by call, with the real engine in between.

Source: the `GenericJob` of MPIJobs and `podset.Merge`, Kueue (pkg/controller/jobs/mpijob).
"""

from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from mpijob.core.config import Config
from mpijob.core.plan import Kind, Ref
from mpijob.testing.small_cluster import SmallCluster, played

QUEUE = "kueue.x-k8s.io/queue-name"
GATE = "kueue.x-k8s.io/topology"
JOB = Ref(Kind.MPI_JOB, "default", "pi")


@dataclass
class PodSet:
    """What Kueue adds to the template of one role when it admits a job."""

    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, str]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    gates: list[dict[str, str]] = field(default_factory=list)


class Kueue:
    """A queue that knows an MPIJob as Kueue's integration does, and writes it whole."""

    def __init__(self, world: SmallCluster):
        self.world = world
        self.original = None

    @property
    def job(self):
        return self.world.store.get(JOB)

    @property
    def is_suspended(self):
        return self.job["spec"]["runPolicy"].get("suspend", False)

    @property
    def is_active(self):
        counts = self.job.get("status", {}).get("replicaStatuses") or {}
        return any(count.get("active") for count in counts.values())

    @property
    def pods_ready(self):
        return self._is_true("Running")

    @property
    def finished(self):
        """Whether it has ended, and whether well; None while it goes on."""
        if not self._is_true("Succeeded") and not self._is_true("Failed"):
            return None
        return self._is_true("Succeeded")

    def _is_true(self, type_):
        rows = self.job.get("status", {}).get("conditions") or ()
        return any((row["type"], row["status"]) == (type_, "True") for row in rows)

    def create(self, job):
        """Let a user create a job; the webhook suspends it, since it names a queue."""
        suspended = {**job["spec"], "runPolicy": {**job["spec"]["runPolicy"], "suspend": True}}
        self.world.add({**job, "spec": suspended})

    def start(self, launcher: PodSet, worker: PodSet):
        """Merge what was admitted into the templates and resume, in one write."""
        job = deepcopy(dict(self.job))
        self.original = deepcopy(job["spec"]["mpiReplicaSpecs"])
        for role, info in (("Launcher", launcher), ("Worker", worker)):
            template = job["spec"]["mpiReplicaSpecs"][role]["template"]
            metadata, spec = template.setdefault("metadata", {}), template["spec"]
            metadata["labels"] = {**metadata.get("labels", {}), **info.labels}
            metadata["annotations"] = {**metadata.get("annotations", {}), **info.annotations}
            spec["nodeSelector"] = {**spec.get("nodeSelector", {}), **info.node_selector}
            spec["tolerations"] = [*spec.get("tolerations", ()), *info.tolerations]
            spec["schedulingGates"] = [*spec.get("schedulingGates", ()), *info.gates]
        job["spec"]["runPolicy"]["suspend"] = False
        self.world.put(job)

    def stop(self):
        """Suspend and restore the templates, in one write."""
        job = deepcopy(dict(self.job))
        job["spec"]["runPolicy"]["suspend"] = True
        job["spec"]["mpiReplicaSpecs"] = self.original
        self.world.put(job)

    def ungate(self, pod, node):
        """Let a pod go to the node that topology-aware scheduling has chosen for it."""
        there = self.world.get(Kind.POD, pod)
        spec = {key: value for key, value in there["spec"].items() if key != "schedulingGates"}
        spec["nodeSelector"] = {**spec.get("nodeSelector", {}), "kubernetes.io/hostname": node}
        self.world.put({**there, "spec": spec})


def job(**spec):
    container = {"name": "mpi", "image": "example/mpi:1"}
    launcher = {"spec": {"containers": [{**container, "command": ["mpirun", "train"]}]}}
    worker = {
        "metadata": {"labels": {"mine": "w"}},
        "spec": {"containers": [container], "nodeSelector": {"disk": "ssd"}},
    }
    replicas = {"Launcher": {"template": launcher}, "Worker": {"replicas": 2, "template": worker}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "default", "labels": {QUEUE: "team-a"}},
        "spec": {"runPolicy": {}, "mpiReplicaSpecs": replicas, **spec},
    }


SPOT_TAINT = {"key": "spot", "value": "true", "effect": "NoSchedule"}
SPOT_TOLERATION = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}


def spot(role):
    return PodSet(
        {"flavor": "spot"},
        [SPOT_TOLERATION],
        {"kueue.x-k8s.io/podset": role},
        {"kueue.x-k8s.io/workload": "mpijob-pi-1"},
    )


def reserved(role):
    return PodSet({"flavor": "reserved"}, labels={"kueue.x-k8s.io/podset": role})


def story(tell, made=None):
    """Play a queue's story of a job on two kinds of nodes."""

    async def scene(world):
        world.add_node("spot-0", {"flavor": "spot", "disk": "ssd"}, [SPOT_TAINT])
        world.add_node("reserved-0", {"flavor": "reserved", "disk": "ssd"})
        operator = world.operate(Config())
        queue = Kueue(world)
        queue.create(made or job())
        await world.rest()
        told = await tell(world, queue)
        operator.cancel()
        return told

    return played(scene)


def places(world):
    """Where each pod of the job is, by its role and number."""
    return {
        pod["metadata"]["name"].removeprefix("pi-")[:8]: pod["spec"].get("nodeName")
        for pod in world.store.list(Kind.POD)
    }


def test_a_job_that_waits_in_a_queue_holds_nothing():
    async def tell(world, queue):
        launcher = world.get(Kind.JOB, "pi-launcher")
        pods, started = world.names(Kind.POD), "startTime" in queue.job["status"]
        return launcher["spec"]["suspend"], pods, queue.is_active, queue.pods_ready, started

    assert story(tell) == (True, [], False, False, False)


def test_an_admitted_job_goes_where_it_was_admitted_to():
    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        return places(world), queue.is_active, queue.pods_ready, queue.finished

    on_spot = {"launcher": "spot-0", "worker-0": "spot-0", "worker-1": "spot-0"}
    assert story(tell) == (on_spot, True, True, None)


@pytest.mark.parametrize("role", ["launcher", "worker"])
def test_pods_bear_all_that_was_added(role):
    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        [pod, *_] = [p for p in world.store.list(Kind.POD) if role in p["metadata"]["name"]]
        metadata, spec = pod["metadata"], pod["spec"]
        return (
            metadata["labels"]["kueue.x-k8s.io/podset"],
            metadata["annotations"]["kueue.x-k8s.io/workload"],
            spec["nodeSelector"],
            SPOT_TOLERATION in spec["tolerations"],
        )

    mine = {"disk": "ssd"} if role == "worker" else {}
    assert story(tell) == (role, "mpijob-pi-1", {**mine, "flavor": "spot"}, True)


def test_pods_are_ready_only_once_all_of_them_run():
    async def tell(world, queue):
        queue.start(spot("launcher"), reserved("worker"))
        cordoned = {**world.get(Kind.NODE, "reserved-0", ""), "spec": {"unschedulable": True}}
        world.put(cordoned)
        await world.rest()
        before = queue.pods_ready, queue.is_active
        world.put({**world.get(Kind.NODE, "reserved-0", ""), "spec": {}})
        await world.rest()
        return before, (queue.pods_ready, queue.is_active)

    assert story(tell) == ((False, False), (True, True))


def test_an_evicted_job_gives_all_back():
    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        queue.stop()
        await world.rest()
        rows = {row["type"]: row for row in queue.job["status"]["conditions"]}
        told = rows["Running"]["status"], rows["Running"]["reason"], rows["Suspended"]["status"]
        return world.names(Kind.POD), queue.is_active, queue.pods_ready, told

    assert story(tell) == ([], False, False, ("False", "MPIJobSuspended", "True"))


def test_an_evicted_job_is_active_until_its_pods_are_gone():
    """Kueue gives the quota to others only once nothing is active."""

    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        world.has_kubelets = False
        queue.stop()
        await world.rest()
        before = len(world.names(Kind.POD)), queue.is_active, queue.pods_ready
        world.has_kubelets = True
        await world.rest()
        return before, (len(world.names(Kind.POD)), queue.is_active, queue.pods_ready)

    assert story(tell) == ((3, True, False), (0, False, False))


def test_a_job_that_is_admitted_again_goes_to_the_new_place_alone():
    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        queue.stop()
        await world.rest()
        queue.start(reserved("launcher"), reserved("worker"))
        await world.rest()
        launcher = world.get(Kind.JOB, "pi-launcher")["spec"]["template"]["spec"]
        selectors = [pod["spec"]["nodeSelector"] for pod in world.store.list(Kind.POD)]
        flavors = {selector["flavor"] for selector in selectors}
        return places(world), flavors, launcher.get("tolerations"), queue.pods_ready

    there = {"launcher": "reserved-0", "worker-0": "reserved-0", "worker-1": "reserved-0"}
    assert story(tell) == (there, {"reserved"}, None, True)


def test_a_job_may_be_evicted_before_anything_of_it_ran():
    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        queue.stop()
        await world.rest()
        before = world.names(Kind.POD), queue.is_active
        queue.start(reserved("launcher"), reserved("worker"))
        await world.rest()
        return before, queue.pods_ready

    assert story(tell) == (([], False), True)


def test_gates_hold_the_pods_until_their_places_are_chosen():
    """Topology-aware scheduling: Kueue knows a worker's rank by its `replica-index`."""

    async def tell(world, queue):
        gated = PodSet({"flavor": "reserved"}, gates=[{"name": GATE}])
        queue.start(reserved("launcher"), gated)
        await world.rest()
        before = places(world), queue.pods_ready
        for pod in world.store.list(Kind.POD):
            label = "training.kubeflow.org/replica-index"
            if "worker" in pod["metadata"]["name"] and label in pod["metadata"]["labels"]:
                queue.ungate(pod["metadata"]["name"], "reserved-0")
        await world.rest()
        return before, (places(world), queue.pods_ready)

    held = {"launcher": "reserved-0", "worker-0": None, "worker-1": None}
    there = dict.fromkeys(held, "reserved-0")
    assert story(tell) == ((held, False), (there, True))


ENDS = {"well": True, "badly": False}


@pytest.mark.parametrize("well", ENDS.values(), ids=ENDS)
def test_a_job_that_has_ended_says_how_and_holds_nothing(well):
    policy = {"cleanPodPolicy": "Running", "backoffLimit": 0}

    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        world.end("pi-launcher", well=well)
        await world.rest()
        alive = [p for p in world.store.list(Kind.POD) if p["status"]["phase"] == "Running"]
        return queue.finished, queue.is_active, alive

    replica = {"restartPolicy": "Never"}
    made = job(runPolicy=policy)
    roles = made["spec"]["mpiReplicaSpecs"]
    roles["Launcher"] = roles["Launcher"] | replica
    assert story(tell, made) == (well, False, [])


def test_a_job_that_waits_for_ready_workers_does_so_each_time():
    """mpi-operator v0.8.2 starts the launcher of every resumed job at once (defect 3)."""
    made = job(launcherCreationPolicy="WaitForWorkersReady")

    async def tell(world, queue):
        held = PodSet({"flavor": "reserved"}, gates=[{"name": GATE}])
        queue.start(reserved("launcher"), held)
        await world.rest()
        before = world.get(Kind.JOB, "pi-launcher")["spec"]["suspend"]
        for name in ("pi-worker-0", "pi-worker-1"):
            queue.ungate(name, "reserved-0")
        await world.rest()
        return before, queue.pods_ready

    assert story(tell, made) == (True, True)


def test_a_job_of_another_cluster_is_left_alone():
    """MultiKueue runs it elsewhere, and writes its status here."""
    made = job(runPolicy={"managedBy": "kueue.x-k8s.io/multikueue"})

    async def tell(world, queue):
        queue.start(spot("launcher"), spot("worker"))
        await world.rest()
        return world.names(Kind.POD), world.names(Kind.JOB), "status" in queue.job

    assert story(tell, made) == ([], [], False)
