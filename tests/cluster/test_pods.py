"""Pods live as on a node: stage by stage, each leaving the status that a kubelet would write."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.pod_facts import ENDED, is_deleting
from mpijob.cluster.pods import FAIL, FAULTS, LIFE, STOP_WELL, SUCCEED, next_stage, stages
from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
POD = Ref(Kind.POD, "default", "p")
ALL = {stage.name: stage for stage in (*LIFE, SUCCEED, STOP_WELL, *FAULTS)}


def manifest(*, inits=0, restarts="Never", finalizers=()):
    containers = [{"name": "main", "image": "example/mpi:1"}]
    spec = {"containers": containers, "restartPolicy": restarts}
    if inits:
        spec["initContainers"] = [{"name": f"init-{i}", "image": "x:1"} for i in range(inits)]
    metadata = {"namespace": "default", "name": "p", "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class Node:
    """A store with one pod, and a clock that ticks with every stage."""

    def __init__(self, **pod):
        self.store, self.now = Store(), NOON
        self.store.create(manifest(**pod), now=NOON, uid="u1")

    @property
    def pod(self):
        return self.store.get(POD)

    def play(self, *names):
        for name in names:
            assert ALL[name].applies(self.pod), f"{name}: {self.pod}"
            self.now += timedelta(seconds=1)
            ALL[name].play(self.store, self.pod, self.now)
        return self

    def names(self):
        return [stage.name for stage in stages(self.pod, LIFE)]


READY = ("schedule", "accept", "run", "ready")
READY_AFTER_INIT = ("schedule", "accept", "start init container", "end init container", "run")


def test_a_pod_goes_from_pending_to_ready():
    status = Node().play(*READY).pod["status"]
    at = {"lastProbeTime": None, "lastTransitionTime": "2026-01-01T12:00:04Z"}
    seen = {"lastProbeTime": None, "lastTransitionTime": "2026-01-01T12:00:02Z"}
    assert status == {
        "phase": "Running",
        "qosClass": "BestEffort",
        "startTime": "2026-01-01T12:00:02Z",
        "hostIP": "10.0.0.1",
        "hostIPs": [{"ip": "10.0.0.1"}],
        "podIP": "10.244.0.1",
        "podIPs": [{"ip": "10.244.0.1"}],
        "conditions": [
            {"type": "PodReadyToStartContainers", "status": "True"} | seen,
            {"type": "Initialized", "status": "True"} | seen,
            {"type": "Ready", "status": "True"} | at,
            {"type": "ContainersReady", "status": "True"} | at,
            {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": "2026-01-01T12:00:01Z",
            },
        ],
        "containerStatuses": [
            {
                "name": "main",
                "image": "example/mpi:1",
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T12:00:03Z"}},
                "lastState": {},
            }
        ],
    }


CONDITIONS = {
    "while its init container runs it is not initialised": (
        READY_AFTER_INIT[:3],
        "Initialized",
        ("ContainersNotInitialized", "containers with incomplete status: [init-0]"),
    ),
    "while its containers wait it is not ready": (
        READY_AFTER_INIT[:4],
        "Ready",
        ("ContainersNotReady", "containers with unready status: [main]"),
    ),
    "after it succeeded it is not ready": (
        (*READY_AFTER_INIT, "ready", "succeed"),
        "Ready",
        ("PodCompleted", ""),
    ),
    "after it failed it is not ready": (
        (*READY_AFTER_INIT, "ready", "fail"),
        "ContainersReady",
        ("PodFailed", ""),
    ),
}


@pytest.mark.parametrize(("names", "type_", "told"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_pod_says_what_it_lacks(names, type_, told):
    node = Node(inits=1).play(*names)
    (row,) = (row for row in node.pod["status"]["conditions"] if row["type"] == type_)
    assert (row["status"], row.get("reason", ""), row.get("message", "")) == ("False", *told)


def test_init_containers_run_one_after_the_other():
    node = Node(inits=2).play(*READY_AFTER_INIT[:4], "start init container")
    rows = node.pod["status"]["initContainerStatuses"]
    assert [next(iter(row["state"])) for row in rows] == ["terminated", "running"]


def test_a_container_that_waits_for_init_containers_says_so():
    row = Node(inits=1).play("schedule", "accept").pod["status"]["containerStatuses"][0]
    assert row["state"] == {"waiting": {"reason": "PodInitializing"}}


ENDS = {
    "succeed": ("Succeeded", "", 0, "Completed"),
    "fail": ("Failed", "", 1, "Error"),
    "run out of memory": ("Failed", "", 137, "OOMKilled"),
    "evict": ("Failed", "Evicted", 137, "Error"),
}


@pytest.mark.parametrize(("name", "told"), ENDS.items(), ids=ENDS)
def test_a_pod_ends(name, told):
    status = Node().play(*READY, name).pod["status"]
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (
        status["phase"],
        status.get("reason", ""),
        ended["exitCode"],
        ended["reason"],
    ) == told


def test_a_container_that_may_be_restarted_is():
    node = Node(restarts="OnFailure").play(*READY, "fail", "run")
    row = node.pod["status"]["containerStatuses"][0]
    assert (
        node.pod["status"]["phase"],
        row["restartCount"],
        row["lastState"]["terminated"]["exitCode"],
    ) == ("Running", 1, 1)


def test_a_container_that_waits_for_its_restart_says_so():
    row = Node(restarts="OnFailure").play(*READY, "fail").pod["status"]["containerStatuses"][0]
    assert (row["state"]["waiting"]["reason"], row["restartCount"]) == ("CrashLoopBackOff", 0)


@pytest.mark.parametrize(("restarts", "phase"), [("Never", "Failed"), ("OnFailure", "Pending")])
def test_an_init_container_that_fails_holds_the_pod(restarts, phase):
    node = Node(inits=1, restarts=restarts).play(*READY_AFTER_INIT[:3], "fail init container")
    assert node.pod["status"]["phase"] == phase


def test_an_init_container_is_restarted_and_counted():
    node = Node(inits=1, restarts="OnFailure")
    node.play(*READY_AFTER_INIT[:3], "fail init container", "start init container")
    assert node.pod["status"]["initContainerStatuses"][0]["restartCount"] == 1


def test_an_image_out_of_reach_is_named():
    node = Node().play("schedule", "accept", "image refused")
    waits = node.pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waits == {
        "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "example/mpi:1"',
    }


@pytest.mark.parametrize(("stop", "phase"), [("stop", "Failed"), ("stop well", "Succeeded")])
def test_a_pod_that_is_deleted_ends_before_it_goes(stop, phase):
    node = Node().play(*READY, "delete", stop)
    ended = node.pod["status"]["phase"]
    assert (ended, node.play("remove").pod) == (phase, None)


def test_a_deleted_pod_that_no_node_has_is_collected_as_failed():
    node = Node(finalizers=["a/b"]).play("delete", "collect")
    assert (node.pod["status"]["phase"], node.names()) == ("Failed", [])


def test_a_pod_goes_with_its_node():
    node = Node(finalizers=["a/b"]).play(*READY, "lose node")
    (row,) = (r for r in node.pod["status"]["conditions"] if r["type"] == "DisruptionTarget")
    assert (node.pod["status"]["phase"], row["reason"], row["message"]) == (
        "Failed",
        "DeletionByPodGC",
        "PodGC: node no longer exists",
    )


def test_a_condition_that_stays_keeps_its_time():
    node = Node().play(*READY, "succeed")
    (row,) = (r for r in node.pod["status"]["conditions"] if r["type"] == "Initialized")
    assert row["lastTransitionTime"] == "2026-01-01T12:00:02Z"


PODS = st.fixed_dictionaries(
    {
        "inits": st.integers(0, 2),
        "restarts": st.sampled_from(["Never", "OnFailure"]),
        "finalizers": st.sampled_from([(), ("a/b",)]),
    }
)


@given(PODS, st.integers(0, 2**32))
def test_after_any_weather_a_pod_comes_to_rest(pod, seed):
    """At rest a pod runs and is ready, or has ended and is held by nothing but a finalizer."""
    node, rng = Node(**pod), Random(seed)
    for _ in range(rng.randint(0, 12)):
        if node.pod is not None and (may := stages(node.pod, (*LIFE, *FAULTS, SUCCEED))):
            rng.choice(may).play(node.store, node.pod, node.now)
    for _ in range(20):
        if node.pod is not None and (may := stages(node.pod, LIFE)):
            rng.choice(may).play(node.store, node.pod, node.now)
    assert node.pod is None or _rests(node.pod)


@given(PODS, st.integers(0, 2**32))
def test_what_comes_next_is_the_first_that_may_come(pod, seed):
    node, rng = Node(**pod), Random(seed)
    for _ in range(15):
        if node.pod is None:
            return
        assert next_stage(node.pod) == next(iter(stages(node.pod, LIFE)), None)
        if may := stages(node.pod, (*LIFE, *FAULTS, SUCCEED)):
            rng.choice(may).play(node.store, node.pod, node.now)


def _rests(pod):
    if is_deleting(pod):
        return pod["status"]["phase"] in ENDED and bool(pod["metadata"]["finalizers"])
    ready = any(r["type"] == "Ready" and r["status"] == "True" for r in pod["status"]["conditions"])
    return ready or pod["status"]["phase"] in ENDED


@given(PODS, st.integers(0, 2**32))
def test_a_pod_that_has_ended_stays_as_it_ended(pod, seed):
    node, rng, ended = Node(**pod), Random(seed), ""
    for _ in range(15):
        if node.pod is None:
            return
        now = node.pod["status"]["phase"]
        assert ended in ("", now)
        ended = now if now in ENDED else ""
        if may := stages(node.pod, (*LIFE, SUCCEED, FAIL, STOP_WELL)):
            rng.choice(may).play(node.store, node.pod, node.now)
