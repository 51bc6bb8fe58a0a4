"""Objects brought to what a manifest says: which requests, and what is said of them."""

import json

import pytest
from aiohttp import web

from mpijob.generate.operator import installation
from mpijob.generate.settings import Installation
from mpijob.kube.apply import (
    Outcome,
    apply,
    established,
    listed,
    path_of,
    remove,
    rolled_out,
    until,
    until_gone,
)
from mpijob.ports import NotFound

SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"x": "y"}}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "mpijobs.kubeflow.org", "labels": {"x": "y"}},
    "spec": {"new": True},
}
MISSING = {"kind": "Status", "code": 404, "message": "not found"}


def stored(manifest, version="1", **metadata):
    kept = {**manifest["metadata"], "resourceVersion": version, **metadata}
    return web.json_response({**manifest, "metadata": kept})


def missing():
    return web.json_response(MISSING, status=404)


def test_every_object_of_an_installation_has_a_path():
    chosen = Installation(watched="team", gang="volcano")
    kinds = {manifest["kind"]: path_of(manifest) for manifest in installation(chosen)}
    assert {kind: kinds[kind] for kind in ("Namespace", "NetworkPolicy", "Role")} == {
        "Namespace": "/api/v1/namespaces/mpi-operator",
        "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies/mpijob-jobs",
        "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/mpi-operator/roles/"
        "mpijob-operator-lease",
    }


OUTCOMES = {
    "it was not there": ([missing(), stored(SPACE)], Outcome.CREATED),
    "it was as it should be": ([stored(SPACE), stored(SPACE, "2")], Outcome.UNCHANGED),
    "it was otherwise": ([stored(SPACE, labels={}), stored(SPACE, "2")], Outcome.CONFIGURED),
}


@pytest.mark.parametrize(("answers", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_applying_says_what_came_of_it(asked, answers, outcome):
    found, _ = asked(lambda client: apply(client, SPACE), *map(_again, answers))
    assert found is outcome


def _again(response):
    """A response that can be sent in any test: one that was sent cannot be sent anew."""
    body, status = response.body, response.status

    async def answer(_):
        return web.Response(body=body, status=status, content_type="application/json")

    return answer


def test_our_fields_are_applied_by_force_under_our_name(asked):
    _, server = asked(lambda client: apply(client, SPACE, dry_run=True), missing(), stored(SPACE))
    method, path, query, _ = server.asked[1]
    assert (method, path, query, server.headers["Content-Type"]) == (
        "PATCH",
        "/api/v1/namespaces/a",
        {"dryRun": "All", "fieldManager": "mpijob", "force": "true"},
        "application/apply-patch+yaml",
    )


def test_a_definition_is_replaced_whole_and_keeps_its_labels(asked):
    old = {**CRD, "spec": {"old": True}}
    there = stored(old, "7", labels={"theirs": "1"})
    _, server = asked(lambda client: apply(client, CRD), there, stored(CRD, "8"))
    method, _, _, body = server.asked[1]
    sent = json.loads(body)
    assert (
        method,
        sent["spec"],
        sent["metadata"]["resourceVersion"],
        sent["metadata"]["labels"],
    ) == (
        "PUT",
        {"new": True},
        "7",
        {"theirs": "1", "x": "y"},
    )


def test_what_is_gone_already_need_not_be_removed(asked):
    found, _ = asked(lambda client: remove(client, "/api/v1/namespaces/a"), missing())
    assert found is False


def test_a_list_is_read_to_its_end(asked):
    async def whole(client):
        return [item["n"] async for item in listed(client, "/apis/x")]

    pages = [{"metadata": {"continue": "m"}, "items": [{"n": 1}]}, {"items": [{"n": 2}]}]
    assert asked(whole, *map(web.json_response, pages))[0] == [1, 2]


def _deployment(**status):
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}


COUNTS = {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
ROLLED = {
    "all of it": (_deployment(observedGeneration=2, **COUNTS), True),
    "nobody looked yet": (_deployment(observedGeneration=1, **COUNTS), False),
    "an old pod is left": (_deployment(observedGeneration=2, **(COUNTS | {"replicas": 3})), False),
    "no status": ({"metadata": {"generation": 1}, "spec": {"replicas": 2}}, False),
}


@pytest.mark.parametrize(("manifest", "done"), ROLLED.values(), ids=ROLLED)
def test_a_deployment_is_rolled_out_when_all_its_pods_are_new_and_available(manifest, done):
    assert rolled_out(manifest) is done


def test_a_definition_without_a_status_is_not_established():
    assert not established({"status": {"conditions": None}})


# Waiting for an object: a list, and then a stream of changes.

POD = "/api/v1/namespaces/a/pods/p"


def _pod(phase="Running"):
    return {"metadata": {"name": "p", "resourceVersion": "5"}, "status": {"phase": phase}}


def _page(*pods):
    return web.json_response({"metadata": {"resourceVersion": "5"}, "items": list(pods)})


def _stream(*events):
    lines = "".join(json.dumps({"type": type_, "object": pod}) + "\n" for type_, pod in events)
    return web.Response(text=lines, content_type="application/json")


def _ended(pod):
    return pod["status"]["phase"] == "Succeeded"


ENDS = {
    "from the beginning": [_page(_pod("Succeeded"))],
    "after a while": [_page(_pod()), _stream(("MODIFIED", _pod("Succeeded")))],
}


@pytest.mark.parametrize("answers", ENDS.values(), ids=ENDS)
def test_an_object_is_waited_for_until_it_is_so(asked, answers):
    _, server = asked(lambda client: until(client, POD, _ended, 10), *map(_again, answers))
    assert server.asked[0][2]["fieldSelector"] == "metadata.name=p"


def test_the_wait_for_an_object_that_is_deleted_ends_in_words(asked):
    answers = _page(_pod()), _stream(("DELETED", _pod()))
    with pytest.raises(NotFound, match="pods/p was deleted meanwhile"):
        asked(lambda client: until(client, POD, _ended, 10), *answers)


GOES = {
    "it was never there": [_page()],
    "it goes later": [_page(_pod()), _stream(("MODIFIED", _pod()), ("DELETED", _pod()))],
}


@pytest.mark.parametrize("answers", GOES.values(), ids=GOES)
def test_an_object_is_waited_for_until_it_is_gone(asked, answers):
    _, server = asked(lambda client: until_gone(client, POD), *map(_again, answers))
    assert len(server.asked) == len(answers)
