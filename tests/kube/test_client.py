"""Requests: what is retried, what is refused, and in which words."""

import asyncio
import socket
from contextlib import suppress

import pytest
from aiohttp import web

from mpijob.kube.client import Client, Expired, Pace
from mpijob.kube.config import Connection
from mpijob.kube.credentials import Anonymous
from mpijob.ports import Conflict, Forbidden, NotFound, Refused, Unknown, Unreachable, Unserved


def status(code, message="", **headers):
    body = {"kind": "Status", "code": code, "message": message}
    return web.json_response(body, status=code, headers=headers)


async def one(client):
    return await client.request("GET", "/api/v1/pods")


REFUSALS = {
    "a conflict": (409, Conflict),
    "a missing object": (404, NotFound),
    "a version that is forgotten": (410, Expired),
    "an invalid object": (422, Refused),
    "no rights": (403, Refused),
    "a kind it does not serve": (404, Unserved),
    "a server in trouble": (500, Unreachable),
}


@pytest.mark.parametrize(("code", "error"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_told_in_the_servers_words(asked, code, error):
    with pytest.raises(error, match="the server says so"):
        asked(one, status(code, "the server says so"))


FORBIDDEN = {
    "by who guards rights": ('pods is forbidden: User "x" cannot list resource "pods"', True),
    "by a quota": ('pods "a" is forbidden: exceeded quota: small', False),
}


@pytest.mark.parametrize(("message", "want"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_right_that_is_missing_is_told_from_an_object_that_is_not_wanted(asked, message, want):
    with pytest.raises(Refused) as caught:
        asked(one, status(403, message))
    assert isinstance(caught.value, Forbidden) is want


def test_an_object_that_is_not_there_is_told_from_a_kind_that_is_not_served(asked):
    body = {"kind": "Status", "code": 404, "message": "not found", "details": {"name": "pi"}}
    with pytest.raises(NotFound) as caught:
        asked(one, web.json_response(body, status=404))
    assert not isinstance(caught.value, Unserved)


def test_a_refusal_that_is_no_status_is_told_too(asked):
    with pytest.raises(Unreachable, match="bad gateway"):
        asked(one, web.Response(status=502, text="bad gateway"))


def test_an_answer_is_handed_on_as_it_came(asked):
    answer, _ = asked(one, web.Response(body=b'{"a": 1}'))
    assert answer == b'{"a": 1}'


def test_a_busy_server_is_asked_again_after_as_long_as_it_says(asked):
    busy = [status(429, "later", **{"Retry-After": "0"}) for _ in range(2)]
    answer, server = asked(one, *busy, web.Response(body=b"{}"))
    assert (answer, len(server.asked)) == (b"{}", 3)


def test_a_server_that_stays_busy_is_given_up(asked):
    busy = [status(429, "later", **{"Retry-After": "0"}) for _ in range(20)]
    with pytest.raises(Unreachable, match="later"):
        asked(one, *busy)


class Turning:
    """A token that is another one once the first was not taken."""

    def __init__(self):
        self.token = "old"

    async def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def forget(self, shown):
        self.token = "new"


def test_credentials_that_were_not_taken_are_drawn_anew(asked):
    answer, server = asked(
        one, status(401, "who?"), web.Response(body=b"{}"), credentials=Turning()
    )
    assert (answer, server.headers["Authorization"]) == (b"{}", "Bearer new")


def test_credentials_are_drawn_anew_but_once(asked):
    with pytest.raises(Unknown, match="who"):
        asked(one, status(401, "who?"), status(401, "who?"), credentials=Turning())


def test_nobody_is_sent_elsewhere_with_our_credentials(asked):
    elsewhere = web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})
    with pytest.raises(Unreachable, match="HTTP 307"):
        asked(one, elsewhere)


def test_a_busy_server_is_left_alone_before_a_watch_is_tried_again(asked):
    async def watch(client):
        clock = asyncio.get_running_loop().time
        began_at = clock()
        with pytest.raises(Unreachable, match="later"):
            async with client.stream("/api/v1/pods", {}, idle_s=10):
                pass
        return clock() - began_at >= 1

    waited, _ = asked(watch, status(429, "later", **{"Retry-After": "1"}))
    assert waited


def test_a_watch_that_is_never_answered_is_given_up(asked):
    async def silence(request):
        await asyncio.Event().wait()

    async def watch(client):
        async with client.stream("/api/v1/pods", {}, idle_s=0.05):
            pass

    with pytest.raises(Unreachable, match="no answer"):
        asked(watch, silence)


def test_a_peer_that_vanished_is_found_out(asked):
    async def scene(client):
        await one(client)
        (kept,) = client._http._kept
        open_socket = kept._transport.get_extra_info("socket")
        names = (socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT)
        return [open_socket.getsockopt(socket.IPPROTO_TCP, name) for name in names]

    found, _ = asked(scene, web.Response(body=b"{}"))
    assert found == [15, 30_000]


def test_a_cut_connection_is_unreachable(asked):
    async def cut(request):
        request.transport.close()
        return web.Response()

    with pytest.raises(Unreachable):
        asked(one, cut)


def test_a_server_that_is_not_there_is_unreachable():
    async def scene():
        place = Connection("http://127.0.0.1:9", None, Anonymous())
        async with Client(place) as client:
            await one(client)

    with pytest.raises(Unreachable, match="GET /api/v1/pods"):
        asyncio.run(scene())


def test_requests_are_counted_by_verb_and_answer(asked):
    async def two(client):
        await one(client)
        with pytest.raises(NotFound):
            await one(client)
        return dict(client.requests)

    counted, _ = asked(two, web.Response(body=b"{}"), status(404))
    assert counted == {("GET", 200): 1, ("GET", 404): 1}


WELCOME = {
    "not yet answered": ([], False),
    "answered": ([200], True),
    "answered that there is none": ([404], True),
    "not known": ([401, 401], False),
    "not allowed": ([403], False),
    "in trouble": ([503], False),
    "in trouble once": ([503, 200], True),
}


@pytest.mark.parametrize(("codes", "want"), WELCOME.values(), ids=WELCOME)
def test_who_is_welcome(asked, codes, want):
    async def scene(client):
        while client.requests.total() < len(codes):
            with suppress(NotFound, Refused, Unreachable):
                await one(client)
        return client.is_welcome

    welcome, _ = asked(scene, *map(status, codes))
    assert welcome is want


def test_a_pace_lets_so_many_through_at_once():
    async def scene():
        pace, together, most = Pace(2), 0, 0

        async def pass_through():
            nonlocal together, most
            async with pace:
                together += 1
                most = max(most, together)
                await asyncio.sleep(0)
                together -= 1

        await asyncio.gather(*(pass_through() for _ in range(10)))
        return most

    assert asyncio.run(scene()) == 2
