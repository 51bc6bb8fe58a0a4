"""What an object owns goes with it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.garbage import collect, may_orphan, orphans
from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def config(name, *owners):
    references = [
        {"apiVersion": "v1", "kind": kind, "name": owner, "uid": uid} for kind, owner, uid in owners
    ]
    metadata = {"namespace": "default", "name": name, "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


CASES = {
    "nobody owns it": ((), True),
    "its owner is there": ((("ConfigMap", "owner", "u-owner"),), True),
    "its owner is gone": ((("ConfigMap", "gone", "u-gone"),), False),
    "a namesake of its owner is there": ((("ConfigMap", "owner", "u-before"),), False),
    "one of its owners is there": (
        (("ConfigMap", "gone", "u-gone"), ("ConfigMap", "owner", "u-owner")),
        True,
    ),
    "its owner is of a kind that nobody here knows": ((("Cat", "tom", "u-tom"),), True),
}


@pytest.mark.parametrize(("owners", "stays"), CASES.values(), ids=CASES)
def test_an_object_stays_while_an_owner_is_there(owners, stays):
    store = Store()
    store.create(config("owner"), now=NOON, uid="u-owner")
    store.create(config("it", *owners), now=NOON, uid="u-it")
    collect(store, now=NOON)
    assert (store.get(Ref(Kind.CONFIG_MAP, "default", "it")) is not None) is stays


def test_what_is_owned_by_what_goes_goes_too():
    store = Store()
    for name, owner in (("a", "gone"), ("b", "a"), ("c", "b")):
        manifest = config(name, ("ConfigMap", owner, f"u-{owner}"))
        store.create(manifest, now=NOON, uid=f"u-{name}")
    assert (collect(store, now=NOON), store.list(Kind.CONFIG_MAP)) == (3, ())


def test_an_object_that_is_being_deleted_is_not_deleted_again():
    store = Store()
    manifest = config("a", ("ConfigMap", "gone", "u-gone"))
    manifest["metadata"]["finalizers"] = ["a/b"]
    store.create(manifest, now=NOON, uid="u-a")
    assert (collect(store, now=NOON), orphans(store)) == (1, ())


def test_an_owner_in_another_namespace_is_no_owner():
    store = Store()
    store.create(config("owner"), now=NOON, uid="u-owner")
    manifest = config("it", ("ConfigMap", "owner", "u-owner"))
    manifest["metadata"]["namespace"] = "other"
    store.create(manifest, now=NOON, uid="u-it")
    assert orphans(store) == (Ref(Kind.CONFIG_MAP, "other", "it"),)


def test_what_comes_after_its_owner_went_is_an_orphan():
    store = Store()
    store.create(config("it", ("ConfigMap", "gone", "u-gone")), now=NOON, uid="u-it")
    assert [may_orphan(store, change) for change in store.changes(0)] == [True]


def test_what_comes_while_its_owner_is_there_leaves_no_orphan():
    store = Store()
    store.create(config("owner"), now=NOON, uid="u-owner")
    store.create(config("it", ("ConfigMap", "owner", "u-owner")), now=NOON, uid="u-it")
    assert [may_orphan(store, change) for change in store.changes(0)] == [False, False]


def test_where_something_went_there_may_be_orphans():
    store = Store()
    store.create(config("owner"), now=NOON, uid="u-owner")
    store.delete(Ref(Kind.CONFIG_MAP, "default", "owner"), now=NOON)
    assert may_orphan(store, store.changes(1)[0])


@given(
    st.lists(st.sampled_from(range(6)), min_size=6, max_size=6), st.sets(st.sampled_from("abcdef"))
)
def test_after_a_collection_nothing_is_left_to_collect(parents, deleted):
    store = Store()
    names = "abcdef"
    for name, parent in zip(names, parents, strict=True):
        owner = names[parent]
        references = () if owner == name else (("ConfigMap", owner, f"u-{owner}"),)
        store.create(config(name, *references), now=NOON, uid=f"u-{name}")
    for name in sorted(deleted):
        store.delete(Ref(Kind.CONFIG_MAP, "default", name), now=NOON)
    collect(store, now=NOON)
    assert orphans(store) == ()
