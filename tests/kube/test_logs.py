"""Logs by way of the API server: whose, since when, and what is not there."""

import json

import pytest
from aiohttp import web

from mpijob.core.plan import Kind, Ref
from mpijob.kube.logs import KubeLogs
from mpijob.ports import NotFound, Refused

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
    "as it comes": ((), {"follow": True}, {"container": "mpi", "follow": "true"}),
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
