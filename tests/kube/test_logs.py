"""Logs by way of the API server: whose, since when, and what is not there."""

import json

import pytest
from aiohttp import web

from mpijob.core.plan import Kind, Ref
from mpijob.kube.logs import KubeLogs
from mpijob.ports import NotFound, Refused, Unreachable

POD = Ref(Kind.POD, "team", "pi-worker-0")


def pod(state, phase="Pending"):
    row = {"name": "mpi", "state": state}
    return {
        "metadata": {"name": POD.name, "namespace": POD.namespace, "resourceVersion": "7"},
        "spec": {"containers": [{"name": "mpi"}, {"name": "sidecar"}]},
        "status": {"phase": phase, "containerStatuses": [row]},
    }


RUNS = pod({"running": {}}, "Running")
WAITS = pod({"waiting": {"reason": "ContainerCreating"}})


def answer(document):
    return web.Response(body=json.dumps(document).encode())


def said(code, message):
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


def reading(*words, **options):
    async def scene(client):
        return b"".join([piece async for piece in KubeLogs(client).read(POD, *words, **options)])

    return scene


ASKED = {
    "the first container": ((), {}, {"container": "mpi"}),
    "another container": (("sidecar",), {}, {"container": "sidecar"}),
    "as it comes": (
        (),
        {"follow": True},
        {"container": "mpi", "follow": "true", "timestamps": "true"},
    ),
    "the run before": ((), {"previous": True}, {"container": "mpi", "previous": "true"}),
    "the last lines": ((), {"tail_lines": 3}, {"container": "mpi", "tailLines": "3"}),
    "no line": ((), {"tail_lines": 0}, {"container": "mpi", "tailLines": "0"}),
}


@pytest.mark.parametrize(("words", "options", "want"), ASKED.values(), ids=ASKED)
def test_what_is_asked_for(asked, words, options, want):
    text, server = asked(reading(*words, **options), answer(RUNS), web.Response(body=b"hello\n"))
    assert (text, server.asked[-1][2]) == (b"hello\n", want)


def test_a_container_that_has_not_begun_is_waited_for(asked):
    listed = {"metadata": {"resourceVersion": "7"}, "items": [WAITS]}
    news = web.Response(body=json.dumps({"type": "MODIFIED", "object": RUNS}).encode() + b"\n")
    scene = reading(follow=True)
    text, _ = asked(scene, answer(WAITS), answer(listed), news, web.Response(body=b"hello\n"))
    assert text == b"hello\n"


def test_a_pod_that_goes_before_it_has_begun_has_no_log(asked):
    listed = {"metadata": {"resourceVersion": "7"}, "items": [WAITS]}
    news = web.Response(body=json.dumps({"type": "DELETED", "object": WAITS}).encode() + b"\n")
    with pytest.raises(NotFound, match="is gone"):
        asked(reading(follow=True), answer(WAITS), answer(listed), news)


LACKING = {
    "a run": 'previous terminated container "mpi" in pod "pi-worker-0" not found',
    "a log so far": 'container "mpi" in pod "pi-worker-0" is waiting to start: PodInitializing',
    "a container": "container x is not valid for pod pi-worker-0",
}


@pytest.mark.parametrize("message", LACKING.values(), ids=LACKING)
def test_what_is_not_there_is_not_found(asked, message):
    with pytest.raises(NotFound, match="pi-worker-0"):
        asked(reading(), answer(RUNS), said(400, message))


def test_what_is_refused_is_refused(asked):
    with pytest.raises(Refused, match="no"):
        asked(reading(), answer(RUNS), said(400, "no"))


# A log that is followed, through streams that break off.

ENDED = pod({"terminated": {"exitCode": 0}}, "Succeeded")


def stamped(*texts, second=0):
    """Return lines as a kubelet hands them on where it is asked for times."""
    return "".join(f"2026-01-02T03:04:{second:02}.{n:09}Z {t}\n" for n, t in texts).encode()


def breaks_off(text):
    """Return an answer whose connection is cut once it has said that."""

    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(text)
        request.transport.abort()
        return response

    return answer


A, B, C = (1, "a"), (2, "b"), (3, "c")
STREAMS = {
    "cut between two lines": (breaks_off(stamped(A, B)), stamped(A, B, C)),
    "cut within a line": (breaks_off(stamped(A, B)[:-1]), stamped(A, B, C)),
    "ended in good order": (web.Response(body=stamped(A)), stamped(A, B, C)),
    "two lines of one moment": (
        breaks_off(stamped(A, (2, "b"))),
        stamped(A, (2, "b"), (2, "c")),
    ),
    "told in another order than written": (
        breaks_off(stamped((2, "a"), (1, "b"))),
        stamped((2, "a"), (1, "b"), C),
    ),
    "cut before a line": (breaks_off(b""), stamped(A, B, C)),
}


@pytest.mark.parametrize(("first", "whole"), STREAMS.values(), ids=STREAMS)
def test_a_stream_that_breaks_off_is_taken_up_without_a_line_lost_or_told_twice(
    asked, first, whole
):
    second, last = web.Response(body=whole), web.Response(body=whole)
    text, _ = asked(
        reading(follow=True), answer(RUNS), first, answer(RUNS), second, answer(ENDED), last
    )
    assert text == b"a\nb\nc\n"


def test_it_is_taken_up_at_the_second_of_the_last_line(asked):
    said_so_far, last = breaks_off(stamped(A, second=7)), web.Response(body=stamped(A, second=7))
    answers = (answer(RUNS), said_so_far, answer(RUNS), last, answer(ENDED), web.Response())
    _, server = asked(reading(follow=True, tail_lines=1), *answers)
    assert server.asked[3][2] == {
        "container": "mpi",
        "follow": "true",
        "timestamps": "true",
        "sinceTime": "2026-01-02T03:04:07Z",
    }


def test_of_a_run_that_was_followed_by_another_the_rest_is_read(asked):
    again = {**RUNS, "status": {"containerStatuses": [{"name": "mpi", "restartCount": 1}]}}
    answers = (web.Response(body=stamped(A)), answer(again), web.Response(body=stamped(A, B)))
    text, server = asked(reading(follow=True), answer(RUNS), *answers)
    assert (text, server.asked[-1][2].get("previous")) == (b"a\nb\n", "true")


def test_what_a_pod_wrote_that_is_gone_is_no_fault(asked):
    gone = {"kind": "Status", "code": 404, "details": {"name": POD.name}}
    missing = web.json_response(gone, status=404)
    text, _ = asked(reading(follow=True), answer(RUNS), web.Response(body=stamped(A)), missing)
    assert text == b"a\n"


def test_a_node_that_has_just_come_back_and_knows_no_pod_is_asked_again(asked):
    unknown = {"kind": "Status", "code": 404, "details": {"name": POD.name}}
    cut, missing = breaks_off(stamped(A)), web.json_response(unknown, status=404)
    rest, last = web.Response(body=stamped(A, B)), web.Response(body=stamped(A, B))
    answers = (cut, answer(RUNS), missing, answer(RUNS), rest, answer(ENDED), last)
    text, _ = asked(reading(follow=True), answer(RUNS), *answers)
    assert text == b"a\nb\n"


def test_a_log_that_cannot_be_read_at_first_is_no_log(asked):
    with pytest.raises(Unreachable, match="refused"):
        asked(reading(follow=True), answer(RUNS), said(502, "connection refused"))
