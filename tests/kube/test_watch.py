"""Watches: what was there, what changes, and what is done when the stream ends."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from aiohttp import web

from mpijob.kube import watch
from mpijob.kube.watch import Watch
from mpijob.ports import Refused, Unserved
from mpijob.sim.loop import play


def pod(name, version, **meta):
    return {"metadata": {"name": name, "namespace": "default", "resourceVersion": version, **meta}}


def listed(version, *pods, more=""):
    return web.json_response(
        {"metadata": {"resourceVersion": version, "continue": more}, "items": list(pods)}
    )


def stream(*events, separators=(",", ":")):
    """A stream of these events that then ends, written as servers write."""

    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for kind, body in events:
            line = json.dumps({"type": kind, "object": body}, separators=separators) + "\n"
            # In two pieces, as networks do.
            await response.write(line[:20].encode())
            await response.write(line[20:].encode())
        return response

    return answer


def changes(count):
    """A scene that takes so many changes from a watch, as (type, name, version)."""

    async def scene(client):
        taken = []
        following = Watch(client, "/api/v1/pods").changes()
        async for change in following:
            body = change.manifest
            body = json.loads(body) if isinstance(body, bytes) else body
            meta = body.get("metadata", {})
            taken.append((change.type.value, meta.get("name"), meta.get("resourceVersion")))
            if len(taken) == count:
                await following.aclose()
                return taken
        return taken

    return scene


def test_what_is_there_comes_first_then_what_changes(asked):
    told, server = asked(
        changes(4),
        listed("5", pod("a", "1"), pod("b", "2")),
        stream(("MODIFIED", pod("a", "6"))),
    )
    assert (told, server.asked[1][2]["resourceVersion"]) == (
        [
            ("ADDED", "a", "1"),
            ("ADDED", "b", "2"),
            ("SYNCED", None, "5"),
            ("MODIFIED", "a", "6"),
        ],
        "5",
    )


def test_a_long_list_is_read_page_by_page(asked):
    told, server = asked(
        changes(3), listed("5", pod("a", "1"), more="next"), listed("5", pod("b", "2"))
    )
    assert ([row[1] for row in told], server.asked[1][2]["continue"]) == (["a", "b", None], "next")


def test_a_stream_that_ends_is_taken_up_where_it_was(asked):
    _, server = asked(
        changes(3),
        listed("5"),
        stream(("ADDED", pod("a", "6")), ("BOOKMARK", pod("", "9"))),
        stream(("ADDED", pod("b", "10"))),
    )
    assert [query.get("resourceVersion") for _, _, query, _ in server.asked] == [None, "5", "9"]


def test_a_stream_that_is_written_in_another_way_says_the_same(asked):
    told, _ = asked(
        changes(2), listed("5"), stream(("ADDED", pod("a", "6")), separators=(" ,", " : "))
    )
    assert told[1:] == [("ADDED", "a", "6")]


FIELDS = [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]
TEMPLATE = {"spec": {"template": {"metadata": {"name": "other", "managedFields": FIELDS}}}}
WRITTEN = {
    "with what fields are managed by whom": pod("a", "6", managedFields=FIELDS),
    "with words of that in a string": pod("a", "6", note=',"managedFields":[', more="7"),
    "with metadata of that kind elsewhere": {**pod("a", "6"), **TEMPLATE},
    "with that before the version": {
        "metadata": {"name": "a", "managedFields": FIELDS, **pod("a", "6")["metadata"]}
    },
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_stream_goes_on_after_an_object_whichever_way_that_is_written(
    asked, monkeypatch, written
):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    _, server = asked(
        changes(3), listed("5"), stream(("ADDED", written)), stream(("MODIFIED", pod("a", "7")))
    )
    assert server.asked[2][2]["resourceVersion"] == "6"


def test_an_object_without_metadata_has_the_stream_taken_up_again(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    told, _ = asked(
        changes(2), listed("5"), stream(("ADDED", {})), stream(("ADDED", pod("a", "6")))
    )
    assert told[1:] == [("ADDED", "a", "6")]


def test_bookmarks_are_asked_for(asked):
    _, server = asked(changes(2), listed("5"), stream(("ADDED", pod("a", "6"))))
    assert server.asked[1][2]["allowWatchBookmarks"] == "true"


def test_a_forgotten_version_is_listed_anew_and_what_went_is_told(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
    labels = {"training.kubeflow.org/job-name": "pi"}
    told, _ = asked(
        changes(5),
        listed("5", pod("a", "1", labels=labels), pod("b", "2")),
        stream(("ERROR", gone)),
        listed("20", pod("b", "2"), pod("c", "19")),
    )
    assert told[3:] == [("ADDED", "c", "19"), ("DELETED", "a", "20")]


def test_what_went_while_a_list_broke_off_is_told_too(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    told, _ = asked(
        changes(4),
        listed("5", pod("a", "1"), pod("b", "2"), more="next"),
        web.Response(status=500),
        listed("9", pod("b", "2")),
        stream(("ADDED", pod("c", "10"))),
    )
    assert told == [
        ("ADDED", "a", "1"),
        ("ADDED", "b", "2"),
        ("DELETED", "a", "9"),
        ("SYNCED", None, "9"),
    ]


def test_an_answer_that_is_none_of_an_api_server_is_asked_for_again(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    page = web.Response(text="<html>Please log in</html>")
    told, _ = asked(changes(1), page, listed("5"))
    assert told == [("SYNCED", None, "5")]


class Ending:
    """A client whose lists are empty and whose streams end after as long as `lasts` says (s)."""

    def __init__(self, *lasts):
        self.lasts = list(lasts)
        self.opened_at = []

    async def request(self, method, path, *, query):
        return b'{"metadata": {"resourceVersion": "5"}, "items": []}'

    @asynccontextmanager
    async def stream(self, path, query, *, idle_s):
        self.opened_at.append(asyncio.get_running_loop().time())

        async def silence():
            await after(self.lasts.pop(0) if self.lasts else 0)
            return
            yield

        yield silence()


async def after(seconds):
    """Return when the virtual clock has moved on so far."""
    reached = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, reached.set)
    await reached.wait()


def opened(client, *, within_s):
    """When the streams of a watch were opened, of those within a while."""

    async def scene():
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                async for _ in Watch(client, "/api/v1/pods").changes():
                    pass
        return client.opened_at

    return play(scene(), Random(0))


def test_streams_that_always_end_at_once_are_taken_up_more_and_more_slowly():
    assert len(opened(Ending(), within_s=60)) <= 10


def test_a_stream_that_ends_after_a_good_while_is_taken_up_soon():
    *_, last, resumed = opened(Ending(*[0] * 9, 600), within_s=720)[:11]
    assert resumed - last < 601


def test_what_went_is_told_with_what_it_was_filed_under(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    owner = {"uid": "u", "kind": "MPIJob", "name": "pi", "controller": True}

    async def scene(client):
        async for change in Watch(client, "/api/v1/pods").changes():
            if change.type.value == "DELETED":
                return change.manifest["metadata"]["ownerReferences"]
        return None

    owners, _ = asked(
        scene,
        listed("5", pod("a", "1", ownerReferences=[owner])),
        web.json_response({"code": 410, "message": "gone"}, status=410),
        listed("20"),
    )
    assert owners == [owner]


def test_a_server_in_trouble_is_asked_again(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    told, _ = asked(
        changes(2),
        web.Response(status=503),
        listed("5"),
        web.Response(status=500),
        stream(("ADDED", pod("a", "6"))),
    )
    assert told == [("SYNCED", None, "5"), ("ADDED", "a", "6")]


def test_rights_that_come_later_are_waited_for(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    denied = web.json_response({"code": 403, "message": "forbidden"}, status=403)
    told, _ = asked(changes(1), denied, listed("5"))
    assert told == [("SYNCED", None, "5")]


def test_a_silent_stream_is_given_up(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    monkeypatch.setattr(watch, "_IDLE_S", 0.05)
    silent = asyncio.Event()

    async def hang(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await silent.wait()
        return response

    told, _ = asked(changes(2), listed("5"), hang, stream(("ADDED", pod("a", "6"))))
    assert told[1] == ("ADDED", "a", "6")


def test_who_is_not_patient_hears_why_the_list_cannot_be_read(asked):
    async def scene(client):
        async for _ in Watch(client, "/api/v1/pods", is_patient=False).changes():
            pass

    body = {"kind": "Status", "code": 403, "message": "you cannot"}
    with pytest.raises(Refused, match="you cannot"):
        asked(scene, web.json_response(body, status=403))


def test_a_kind_that_is_not_to_stay_ends_its_watch_when_it_goes(asked, monkeypatch):
    monkeypatch.setattr(watch, "_BACKOFF_S", (0.0, 0.0))
    gone = web.json_response({"message": "the server could not find it"}, status=404)

    async def scene(client):
        async for change in Watch(client, "/apis/a/v1/as", stays=False).changes():
            assert change.type.value == "SYNCED"

    with pytest.raises(Unserved):
        asked(scene, listed("5"), gone)
