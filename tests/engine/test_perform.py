"""Performing a plan: in stages, stopping at the first that fails."""

import asyncio
from base64 import b64decode

import pytest

from mpijob.cluster.store import Store
from mpijob.core.config import Config
from mpijob.core.job import Identity, Key
from mpijob.core.plan import (
    Announce,
    Confirm,
    Create,
    Delete,
    Kind,
    MintSecret,
    Patch,
    Plan,
    Ref,
    SecretContent,
)
from mpijob.engine.perform import Hands, perform
from mpijob.ports import Conflict, NotFound
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON

JOB = Identity(Key("default", "pi"), "pi-uid", "1")


class Drawn:
    """Draws one key."""

    async def draw(self, content, key_type, job):
        return {content.value: b"drawn"}


def config(name, **data):
    metadata = {"namespace": "default", "name": name}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return Create(Ref(Kind.CONFIG_MAP, "default", name), manifest)


class Busy(MemoryObjects):
    """Takes its time with every request, and notes how many were under way at the most."""

    under_way = most = 0

    async def create(self, manifest):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return await super().create(manifest)


def run(*stages, store=None, learned=None, objects=None, width=64):
    """Perform stages on a store and return the store."""
    store = store or Store()
    objects = objects or MemoryObjects(store, lambda: NOON)
    learn = (learned if learned is not None else []).append
    hands = Hands(
        objects,
        Drawn(),
        Config(),
        lambda kind, manifest: learn(manifest),
        lambda ref, uid: learn(ref),
        lambda job, kind, manifest: learn(manifest),
        lambda: width,
    )
    asyncio.run(perform(Plan(stages), JOB, hands, NOON))
    return store


def held(store, kind=Kind.CONFIG_MAP):
    return [row["metadata"]["name"] for row in store.list(kind)]


def test_the_steps_of_a_stage_are_all_performed():
    assert held(run((config("a"), config("b"), config("c")))) == ["a", "b", "c"]


@pytest.mark.parametrize("width", [1, 3, 64])
def test_of_one_job_no_more_steps_are_under_way_than_that(width):
    store = Store()
    busy = Busy(store, lambda: NOON)
    run(tuple(config(f"c-{number}") for number in range(10)), objects=busy, width=width)
    assert (busy.most, len(store.list(Kind.CONFIG_MAP))) == (min(width, 10), 10)


def test_a_failed_step_ends_the_plan_after_its_stage():
    store = run((config("a"),))
    with pytest.raises(Conflict):
        run((config("a"), config("b")), (config("c"),), store=store)
    assert held(store) == ["a", "b"]


def test_what_a_write_was_answered_is_learnt():
    learned = []
    run((config("a", key="value"),), learned=learned)
    assert learned[0]["metadata"]["uid"]


SECRET = Ref(Kind.SECRET, "default", "pi-ssh")


def minting(**metadata):
    named = {"namespace": "default", "name": "pi-ssh", **metadata}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": named}
    return MintSecret(SECRET, SecretContent.USER_KEYS, manifest)


def test_a_secret_is_drawn_and_stored_as_kubernetes_spells_it():
    store = run((minting(),))
    assert b64decode(store.get(SECRET)["data"]["user-keys"]) == b"drawn"


def test_keys_that_another_operator_drew_are_adopted_as_they_are():
    owner = {"kind": "MPIJob", "name": "pi", "uid": "pi-uid", "controller": True}
    step = minting(ownerReferences=[owner])
    theirs = Create(SECRET, {**step.manifest, "data": {"user-keys": "dGhlaXJz"}})
    store = run((theirs,))
    with pytest.raises(Conflict):
        run((step,), store=store)
    there = store.get(SECRET)
    assert (there["data"], there["metadata"]["labels"]) == (
        {"user-keys": "dGhlaXJz"},
        {"mpijob.dev/child": "true"},
    )


def test_a_patch_of_what_has_changed_since_is_refused():
    store = run((config("a"),))
    ref = Ref(Kind.CONFIG_MAP, "default", "a")
    with pytest.raises(Conflict):
        run((Patch(ref, "999", {"data": {"x": "y"}}),), store=store)


def test_a_deletion_of_a_namesake_is_refused():
    store = run((config("a"),))
    with pytest.raises(Conflict):
        run((Delete(Ref(Kind.CONFIG_MAP, "default", "a"), "another-uid"),), store=store)


def test_a_job_that_is_gone_is_not_confirmed():
    with pytest.raises(NotFound):
        run((Confirm("1"),))


def job_child(uid):
    owner = {"kind": "MPIJob", "name": "pi", "uid": uid, "controller": True}
    step = config("a")
    metadata = {**step.manifest["metadata"], "ownerReferences": [owner]}
    return Create(step.ref, {**step.manifest, "metadata": metadata})


def met(uid):
    """The labels of a child in our way after we met it; `uid` is its owner's."""
    store, learned = run((job_child(uid),)), []
    with pytest.raises(Conflict):
        run((config("a"),), store=store, learned=learned)
    return store.list(Kind.CONFIG_MAP)[0]["metadata"].get("labels", {}), len(learned)


def test_a_child_that_another_operator_made_is_adopted():
    assert met("pi-uid") == ({"mpijob.dev/child": "true"}, 2)


def test_a_stranger_in_our_way_is_seen_but_not_touched():
    assert met("another-uid") == ({}, 1)


def test_the_same_news_in_the_same_second_is_told_once():
    told = Announce("MPIJobRunning", "MPIJob default/pi is running")
    store = run((told,))
    run((told,), store=store)
    assert len(held(store, Kind.EVENT)) == 1
