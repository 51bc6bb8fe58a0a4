"""What every adapter of the port `Objects` does alike."""

import asyncio
from contextlib import aclosing

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.ports import ChangeType, Conflict, NotFound, Refused

HOSTS = Ref(Kind.CONFIG_MAP, "default", "hosts")
PI = Ref(Kind.JOB, "default", "pi-launcher")


def config(name="hosts", **data):
    metadata = {"namespace": "default", "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def launcher(**spec):
    container = {"name": "mpi", "image": "example/mpi:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    metadata = {"namespace": "default", "name": "pi-launcher"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": template, **spec},
    }


async def told(objects, kind, count):
    """The first `count` changes that a watch tells, as (type, name, data)."""
    async with aclosing(objects.watch(kind)) as changes:
        return [short(await anext(changes)) for _ in range(count)]


def short(change):
    manifest = change.manifest
    return change.type.value, manifest.get("metadata", {}).get("name"), manifest.get("data")


def test_a_created_object_is_answered_with_identity_version_and_time(play):
    async def scenario(objects):
        return (await objects.create(config(a="1")))["metadata"]

    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(play(scenario))


def test_what_was_created_is_there(play):
    async def scenario(objects):
        created = await objects.create(config(a="1"))
        return created == await objects.get(HOSTS)

    assert play(scenario)


def test_a_taken_name_is_a_conflict(play):
    async def scenario(objects):
        await objects.create(config())
        with pytest.raises(Conflict):
            await objects.create(config())

    play(scenario)


def test_a_generated_name_continues_what_was_given(play):
    async def scenario(objects):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "default", "generateName": "pi-launcher-"},
            "spec": {"containers": [{"name": "mpi", "image": "example/mpi:1"}]},
        }
        return (await objects.create(pod))["metadata"]["name"]

    name = play(scenario)
    assert name.startswith("pi-launcher-")
    assert len(name) == len("pi-launcher-") + 5


def test_an_object_that_breaks_the_rules_is_refused(play):
    async def scenario(objects):
        with pytest.raises(Refused):
            await objects.create(config("No_Such_Name"))

    play(scenario)


def test_what_is_not_there_is_not_found(play):
    async def scenario(objects):
        with pytest.raises(NotFound):
            await objects.get(HOSTS)
        with pytest.raises(NotFound):
            await objects.patch(HOSTS, {"data": {"a": "1"}})

    play(scenario)


def test_a_patch_merges_and_null_removes(play):
    async def scenario(objects):
        await objects.create(config(a="1", b="2"))
        await objects.patch(HOSTS, {"data": {"a": None, "c": "3"}})
        return (await objects.get(HOSTS))["data"]

    assert play(scenario) == {"b": "2", "c": "3"}


def test_a_patch_that_changes_nothing_makes_no_new_version(play):
    async def scenario(objects):
        created = await objects.create(config(a="1"))
        return created == await objects.patch(HOSTS, {"data": {"a": "1"}})

    assert play(scenario)


def test_a_patch_of_an_older_version_is_a_conflict(play):
    async def scenario(objects):
        first = (await objects.create(config(a="1")))["metadata"]["resourceVersion"]
        await objects.patch(HOSTS, {"data": {"a": "2"}}, version=first)
        with pytest.raises(Conflict):
            await objects.patch(HOSTS, {"data": {"a": "3"}}, version=first)
        return (await objects.get(HOSTS))["data"]

    assert play(scenario) == {"a": "2"}


def test_a_status_patch_changes_the_status_alone(play):
    async def scenario(objects):
        await objects.create(launcher(backoffLimit=3))
        both = {"spec": {"suspend": True}, "status": {"active": 1}}
        answer = await objects.patch(PI, both, subresource="status")
        return answer["spec"].get("suspend", False), answer["status"]["active"]

    assert play(scenario) == (False, 1)


def test_a_patch_of_the_object_leaves_its_status_alone(play):
    async def scenario(objects):
        await objects.create(launcher())
        await objects.patch(PI, {"status": {"active": 1}}, subresource="status")
        answer = await objects.patch(PI, {"spec": {"suspend": True}, "status": {"active": 7}})
        return answer["spec"]["suspend"], answer["status"]["active"]

    assert play(scenario) == (True, 1)


def test_deleting_what_is_gone_does_nothing(play):
    async def scenario(objects):
        await objects.delete(HOSTS)
        await objects.delete(HOSTS, uid="long-gone")

    play(scenario)


def test_a_namesake_is_not_deleted(play):
    async def scenario(objects):
        await objects.create(config(a="1"))
        with pytest.raises(Conflict):
            await objects.delete(HOSTS, uid="another")
        return (await objects.get(HOSTS))["data"]

    assert play(scenario) == {"a": "1"}


def test_a_deleted_object_is_gone(play):
    async def scenario(objects):
        uid = (await objects.create(config()))["metadata"]["uid"]
        await objects.delete(HOSTS, uid=uid)
        with pytest.raises(NotFound):
            await objects.get(HOSTS)

    play(scenario)


def test_a_watch_tells_all_there_is_then_that_this_was_all(play):
    async def scenario(objects):
        await objects.create(config("a", x="1"))
        await objects.create(config("b", x="2"))
        return await told(objects, Kind.CONFIG_MAP, 3)

    assert play(scenario) == [
        ("ADDED", "a", {"x": "1"}),
        ("ADDED", "b", {"x": "2"}),
        ("SYNCED", None, None),
    ]


def test_a_watch_tells_every_change_in_order(play):
    async def scenario(objects):
        async with aclosing(objects.watch(Kind.CONFIG_MAP)) as changes:
            assert (await anext(changes)).type is ChangeType.SYNCED
            await objects.create(config(x="1"))
            await objects.patch(HOSTS, {"data": {"x": "2"}})
            await objects.patch(HOSTS, {"data": {"x": "3"}})
            await objects.delete(HOSTS)
            await objects.create(config(x="4"))
            return [short(await anext(changes)) for _ in range(5)]

    assert play(scenario) == [
        ("ADDED", "hosts", {"x": "1"}),
        ("MODIFIED", "hosts", {"x": "2"}),
        ("MODIFIED", "hosts", {"x": "3"}),
        ("DELETED", "hosts", {"x": "3"}),
        ("ADDED", "hosts", {"x": "4"}),
    ]


def test_a_watch_tells_of_its_kind_alone(play):
    async def scenario(objects):
        async with aclosing(objects.watch(Kind.CONFIG_MAP)) as changes:
            await anext(changes)
            await objects.create(launcher())
            await objects.create(config())
            return short(await anext(changes))[1]

    assert play(scenario) == "hosts"


def test_each_watch_tells_all(play):
    async def scenario(objects):
        watches = [asyncio.create_task(told(objects, Kind.CONFIG_MAP, 2)) for _ in range(3)]
        await objects.create(config(x="1"))
        return [sorted(seen[0] for seen in rows) for rows in await asyncio.gather(*watches)]

    assert play(scenario) == [["ADDED", "SYNCED"]] * 3


def test_what_an_object_owns_goes_with_it(play):
    async def scenario(objects):
        owner = await objects.create(launcher())
        owned = config()
        owned["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": "pi-launcher",
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
        await objects.create(owned)
        async with aclosing(objects.watch(Kind.CONFIG_MAP)) as changes:
            assert (await anext(changes)).type is ChangeType.ADDED
            assert (await anext(changes)).type is ChangeType.SYNCED
            await objects.delete(PI)
            return (await anext(changes)).type

    assert play(scenario) is ChangeType.DELETED
