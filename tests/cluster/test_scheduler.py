"""Pods go where there is room, and where there is none they are told why as kube-scheduler does."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.scheduler import Held, Placed, held_status, place, requests, schedule
from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
TAIL = " no new claims to deallocate, preemption: "


def node(name="n", *, taints=(), unschedulable=False, labels=None, **room):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints), "unschedulable": unschedulable},
        "status": {"allocatable": {name.replace("_", "/"): text for name, text in room.items()}},
    }


def pod(name="p", *, on="", phase="Pending", inits=(), **spec):
    asked = spec.pop("asks", {})
    containers = [{"name": "main", "image": "x:1", "resources": {"requests": asked}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"containers": containers, "initContainers": list(inits), **spec}
        | ({"nodeName": on} if on else {}),
        "status": {"phase": phase},
    }


def init(*, restarts=None, **asked):
    container = {"name": "i", "image": "x:1", "resources": {"requests": asked}}
    return container | ({"restartPolicy": restarts} if restarts else {})


GPU = "nvidia.com/gpu"
SMALL, BIG = node(cpu="2", memory="1Gi", pods="3"), node("m", cpu="8", memory="64Gi", pods="110")
NO_VICTIMS = "1 No preemption victims found for incoming pod."
NOT_HELPFUL = "1 Preemption is not helpful for scheduling."
CASES = {
    "there is room": (pod(asks={"cpu": "500m"}), [SMALL], [], Placed("n")),
    "it asks for nothing": (pod(), [node()], [], Placed("n")),
    "there is just enough": (
        pod(asks={"cpu": "1.5"}),
        [SMALL],
        [pod("q", on="n", asks={"cpu": "500m"})],
        Placed("n"),
    ),
    "there are no nodes": (pod(), [], [], Held("no nodes available to schedule pods")),
    "another pod takes up the room": (
        pod(asks={"cpu": "1600m"}),
        [SMALL],
        [pod("q", on="n", phase="Running", asks={"cpu": "500m"})],
        Held(
            "0/1 nodes are available: 1 Insufficient cpu."
            + TAIL
            + "0/1 nodes are available: "
            + NO_VICTIMS
        ),
    ),
    "a pod that has ended takes up no room": (
        pod(asks={"cpu": "2"}),
        [SMALL],
        [pod("q", on="n", phase="Succeeded", asks={"cpu": "500m"})],
        Placed("n"),
    ),
    "the node is too small": (
        pod(asks={"cpu": "3"}),
        [SMALL],
        [],
        Held(
            "0/1 nodes are available: 1 Insufficient cpu."
            + TAIL
            + "0/1 nodes are available: "
            + NOT_HELPFUL
        ),
    ),
    "no node has such a device": (
        pod(asks={GPU: "1"}),
        [SMALL, BIG],
        [],
        Held(
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
            + TAIL
            + "0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        ),
    ),
    "nodes differ in why": (
        pod(asks={"cpu": "8", "memory": "2Gi"}),
        [SMALL, BIG],
        [pod("q", on="m", asks={"cpu": "1"})],
        Held(
            "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu."
            + TAIL
            + "0/2 nodes are available: 1 No preemption victims found for incoming pod, "
            "1 Preemption is not helpful for scheduling."
        ),
    ),
    "a node is full of pods": (
        pod(),
        [node(pods="1")],
        [pod("q", on="n")],
        Held(
            "0/1 nodes are available: 1 Too many pods."
            + TAIL
            + "0/1 nodes are available: "
            + NO_VICTIMS
        ),
    ),
    "the emptiest node is taken": (
        pod(asks={"cpu": "1"}),
        [SMALL, BIG],
        [pod("q", on="n", asks={"cpu": "1"}), pod("r", on="m", asks={"cpu": "1"})],
        Placed("m"),
    ),
    "of equals the first by name is taken": (pod(), [node("b"), node("a")], [], Placed("a")),
    "a selector names a host": (
        pod(nodeSelector={"kubernetes.io/hostname": "m"}),
        [SMALL, BIG],
        [],
        Placed("m"),
    ),
    "no node has the label": (
        pod(nodeSelector={"disk": "fast"}),
        [SMALL],
        [],
        Held(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            + TAIL
            + "0/1 nodes are available: "
            + NOT_HELPFUL
        ),
    ),
    "a taint is not tolerated": (
        pod(),
        [node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])],
        [],
        Held(
            "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
            + TAIL
            + "0/1 nodes are available: "
            + NOT_HELPFUL
        ),
    ),
    "a taint is tolerated": (
        pod(tolerations=[{"key": "gpu", "operator": "Exists"}]),
        [node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])],
        [],
        Placed("n"),
    ),
    "a node is cordoned": (
        pod(),
        [node(unschedulable=True)],
        [],
        Held(
            "0/1 nodes are available: 1 node(s) were unschedulable."
            + TAIL
            + "0/1 nodes are available: "
            + NOT_HELPFUL
        ),
    ),
    "a pod that drives nobody away": (
        pod(asks={"cpu": "3"}, preemptionPolicy="Never"),
        [SMALL],
        [],
        Held(
            "0/1 nodes are available: 1 Insufficient cpu."
            + TAIL
            + "not eligible due to preemptionPolicy=Never."
        ),
    ),
}


@pytest.mark.parametrize(("wanted", "nodes", "pods", "answer"), CASES.values(), ids=CASES)
def test_a_pod_is_placed_or_told_why_not(wanted, nodes, pods, answer):
    assert place(wanted, nodes, pods) == answer


REQUESTS = {
    "containers run together": (pod(asks={"cpu": "2"}), {"cpu": 2}),
    "init containers run before them": (
        pod(asks={"cpu": "2"}, inits=[init(cpu="3"), init(cpu="1", memory="1Ki")]),
        {"cpu": 3, "memory": 1024},
    ),
    "a sidecar stays": (
        pod(asks={"cpu": "2"}, inits=[init(cpu="1", restarts="Always"), init(cpu="1500m")]),
        {"cpu": 3},
    ),
    "what runs a pod has its price": (
        pod(asks={"cpu": "2"}, overhead={"cpu": "250m"}),
        {"cpu": Fraction(9, 4)},
    ),
}


@pytest.mark.parametrize(("wanted", "amounts"), REQUESTS.values(), ids=REQUESTS)
def test_what_a_pod_asks_for(wanted, amounts):
    assert requests(wanted) == amounts


def test_a_limit_without_a_request_is_the_request():
    wanted = pod()
    wanted["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
    assert requests(wanted) == {"cpu": 2}


def _store(*manifests):
    store = Store()
    for number, manifest in enumerate(manifests):
        store.create(manifest, now=NOON, uid=f"u{number}")
    return store


def _nodes_of(store):
    return {m["metadata"]["name"]: m["spec"].get("nodeName") for m in store.list(Kind.POD)}


def test_the_more_important_pod_comes_first():
    high = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 10,
    }
    asks = {"cpu": "2"}
    store = _store(high, SMALL, pod("a", asks=asks), pod("b", asks=asks, priorityClassName="high"))
    assert (schedule(store, now=NOON), _nodes_of(store)) == (1, {"a": None, "b": "n"})


def test_a_pod_that_waits_says_why():
    store = _store(SMALL, pod(asks={"cpu": "3"}))
    schedule(store, now=NOON)
    (row,) = store.get(Ref(Kind.POD, "default", "p"))["status"]["conditions"]
    assert (row["status"], row["reason"], row["message"][:48]) == (
        "False",
        "Unschedulable",
        "0/1 nodes are available: 1 Insufficient cpu. no ",
    )


def test_a_second_look_at_a_pod_that_waits_changes_nothing():
    store = _store(SMALL, pod(asks={"cpu": "3"}))
    schedule(store, now=NOON)
    version = store.version
    schedule(store, now=NOON.replace(hour=13))
    assert store.version == version


def test_a_gated_pod_is_passed_over():
    store = _store(SMALL, pod(schedulingGates=[{"name": "quota"}]))
    schedule(store, now=NOON)
    (row,) = store.get(Ref(Kind.POD, "default", "p"))["status"]["conditions"]
    assert (row["reason"], row["message"]) == (
        "SchedulingGated",
        "Scheduling is blocked due to non-empty scheduling gates",
    )


def test_the_time_since_which_a_pod_waits_stays():
    first = held_status(pod(), "a", NOON)
    again = held_status(pod() | {"status": first}, "b", NOON.replace(hour=13))
    assert again["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:00Z"


@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 40), max_size=4))
def test_no_node_is_given_more_than_it_has(asked, sizes):
    nodes = [node(f"n{i}", cpu=f"{size}00m") for i, size in enumerate(sizes)]
    pods = [pod(f"p{i}", asks={"cpu": f"{cpu}00m"}) for i, cpu in enumerate(asked)]
    store = _store(*nodes, *pods)
    schedule(store, now=NOON)
    for made in store.list(Kind.NODE):
        name = made["metadata"]["name"]
        taken = [
            requests(p)["cpu"] for p in store.list(Kind.POD) if p["spec"].get("nodeName") == name
        ]
        assert sum(taken) <= Fraction(made["status"]["allocatable"]["cpu"][:-1]) / 1000


@given(st.lists(st.integers(1, 30), max_size=12), st.lists(st.integers(0, 40), max_size=4))
def test_a_pod_that_waits_fits_nowhere(asked, sizes):
    nodes = [node(f"n{i}", cpu=f"{size}00m") for i, size in enumerate(sizes)]
    pods = [pod(f"p{i}", asks={"cpu": f"{cpu}00m"}) for i, cpu in enumerate(asked)]
    store = _store(*nodes, *pods)
    schedule(store, now=NOON)
    assert schedule(store, now=NOON) == 0
