"""This machine as a node: what it has, what it gives out, and to whom."""

from datetime import UTC, datetime

import pytest

from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref
from mpijob.local.placement import GPU, Node, bind_waiting, devices_of, free_devices

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOX = Node("box", "4000m", "1073741824", ("0", "1", "2"))


def pod(name, **limits):
    container = {"name": "mpi", "image": "x", "resources": {"limits": limits}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
    }


def stored(*pods):
    store = Store()
    for manifest in pods:
        store.create(manifest, now=NOON, uid=f"uid of {manifest['metadata']['name']}")
    return store


def seen(store, name):
    found = store.get(Ref(Kind.POD, "default", name))
    return found["spec"].get("nodeName"), devices_of(found)


def bind(store, node=BOX, is_mine=lambda _: True):
    return bind_waiting(store, node, is_mine, NOON)


def test_what_fits_is_bound():
    store = stored(pod("a", cpu="3"), pod("b", cpu="1", memory="1Gi"))
    assert (bind(store), seen(store, "a"), seen(store, "b")) == (2, ("box", ()), ("box", ()))


def test_what_does_not_fit_waits_and_an_event_says_why():
    store = stored(pod("a", cpu="3"), pod("b", cpu="2"))
    bind(store)
    [event] = store.list(Kind.EVENT)
    assert (seen(store, "b"), event["reason"], event["message"].split(".")[0]) == (
        (None, ()),
        "FailedScheduling",
        "0/1 nodes are available: 1 Insufficient cpu",
    )


def test_saying_it_again_is_no_news():
    store = stored(pod("a", cpu="5"))
    bind(store)
    before = store.version
    bind(store)
    assert store.version == before


def test_pods_of_others_take_up_room_and_are_not_bound():
    store = stored(pod("others", cpu="3"), pod("mine", cpu="2"))
    bind(store)
    assert seen(store, "others")[0] == "box"
    assert (
        bind(store, is_mine=lambda p: p["metadata"]["name"] == "mine"),
        seen(store, "mine"),
    ) == (
        0,
        (None, ()),
    )


def test_each_gpu_is_handed_out_once():
    store = stored(
        *(pod(name, **{GPU: count}) for name, count in (("a", "1"), ("b", "2"), ("c", "1")))
    )
    bind(store)
    assert [seen(store, name) for name in "abc"] == [
        ("box", ("0",)),
        ("box", ("1", "2")),
        (None, ()),
    ]


def test_the_gpus_of_a_pod_that_has_ended_are_free():
    store = stored(pod("a", **{GPU: "2"}), pod("b", **{GPU: "2"}))
    bind(store)
    ended = store.get(Ref(Kind.POD, "default", "a"))
    status = {**ended["status"], "phase": "Succeeded"}
    store.replace({**ended, "status": status}, now=NOON, subresource="status")
    bind(store)
    assert seen(store, "b") == ("box", ("0", "1"))


def test_free_are_those_that_no_living_pod_has():
    living = {"metadata": {"annotations": {"mpijob.dev/devices": "0,2"}}, "status": {}}
    assert free_devices(("0", "1", "2"), [living]) == ["1"]


OVERSUBSCRIBED = {
    "CPUs": ({"cpu": "400"}, True),
    "memory": ({"memory": "400Gi"}, True),
    "GPUs": ({GPU: "4"}, False),
}


@pytest.mark.parametrize(("limits", "want"), OVERSUBSCRIBED.values(), ids=OVERSUBSCRIBED)
def test_what_may_be_oversubscribed(limits, want):
    store = stored(pod("a", **limits))
    node = Node("box", "4", "1073741824", ("0", "1", "2"), oversubscribe=True)
    assert bool(bind(store, node)) is want
