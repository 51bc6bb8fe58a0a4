"""The port over HTTP: which request each call becomes."""

import json

import pytest
from aiohttp import web

from mpijob.core.plan import Kind, Ref
from mpijob.kube.objects import KubeObjects
from mpijob.kube.resources import Paths
from mpijob.ports import Conflict

POD = Ref(Kind.POD, "team", "a")
ONE = "/api/v1/namespaces/team/pods/a"


def sent(asked, call, answer=None):
    """The one request that a call becomes: method, path, body."""

    async def scene(client):
        return await call(KubeObjects(client, Paths()))

    _, server = asked(scene, answer or web.json_response({"metadata": {}}))
    method, path, _, body = server.asked[0]
    return method, path, json.loads(body or b"null")


def test_a_creation_is_posted(asked):
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "team", "name": "a"}}
    assert sent(asked, lambda objects: objects.create(manifest)) == (
        "POST",
        "/api/v1/namespaces/team/pods",
        manifest,
    )


def test_a_patch_bears_the_version_that_it_was_decided_on(asked):
    fields = {"metadata": {"labels": {"a": "b"}}}
    assert sent(asked, lambda objects: objects.patch(POD, fields, version="7")) == (
        "PATCH",
        ONE,
        {"metadata": {"labels": {"a": "b"}, "resourceVersion": "7"}},
    )


def test_a_status_is_patched_by_its_subresource(asked):
    call = lambda objects: objects.patch(POD, {"status": {}}, subresource="status")  # noqa: E731
    assert sent(asked, call)[1] == f"{ONE}/status"


def test_a_deletion_names_the_uid_that_it_means(asked):
    assert sent(asked, lambda objects: objects.delete(POD, uid="u")) == (
        "DELETE",
        ONE,
        {"propagationPolicy": "Background", "preconditions": {"uid": "u"}},
    )


def test_what_is_gone_already_is_deleted(asked):
    answer = web.json_response({"message": "not found"}, status=404)
    assert sent(asked, lambda objects: objects.delete(POD), answer)[0] == "DELETE"


def test_a_namesake_is_not_deleted(asked):
    answer = web.json_response({"message": "the UID in the precondition differs"}, status=409)
    with pytest.raises(Conflict, match="precondition"):
        sent(asked, lambda objects: objects.delete(POD, uid="u"), answer)


def page(*names, more=""):
    items = [{"metadata": {"name": name}, "data": {"a": "c2VjcmV0"}} for name in names]
    return web.json_response({"metadata": {"continue": more}, "items": items})


def strays(asked, kind, *answers):
    """What is found of a kind, and what the server was asked for it."""

    async def scene(client):
        selectors = {Kind.SECRET: "mpijob.dev/child", Kind.POD: "x in (a,b)"}
        objects = KubeObjects(client, Paths(), selectors)
        return [manifest async for manifest in objects.strays(kind)]

    found, server = asked(scene, *answers)
    return found, [query for _, _, query, _ in server.asked]


def test_strays_are_read_page_by_page_and_of_them_the_metadata_alone(asked):
    found, queries = strays(asked, Kind.SECRET, page("a", more="x"), page("b"))
    label = "app,!mpijob.dev/child"
    assert (found, [(q["labelSelector"], q.get("continue")) for q in queries]) == (
        [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}],
        [(label, None), (label, "x")],
    )


def test_stray_pods_are_those_of_mpi_operators_v1(asked):
    _, [query] = strays(asked, Kind.POD, page("a"))
    assert query["labelSelector"] == "mpi-job-name,!training.kubeflow.org/operator-name"


def test_a_kind_that_is_not_watched_by_label_has_no_strays(asked):
    assert strays(asked, Kind.POD_GROUP) == ([], [])
