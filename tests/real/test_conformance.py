"""The small cluster answers as a real API server does, and its watchers see the same.

What the simulator proves of the operator holds on a cluster as far as this is so.
"""

import os
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.requests import BASES, Create, Delete, Patch, Replace, requests
from conformance.sides import Real, Small
from harness.shape import Shape
from harness.supervisor import shared
from harness.unavailable import Unavailable
from mpijob.api.crd import NAME, definition

#: How many sequences of requests are drawn for each kind; `make soak` draws many more.
EXAMPLES = int(os.environ.get("MPIJOB_CONFORMANCE_EXAMPLES", "60"))
ACCOUNT = {"metadata": {"name": "default"}}


@pytest.fixture(scope="module")
def server(session_folder):
    """Return a client of an API server that nobody else speaks to: no controller, no scheduler."""
    try:
        with (
            shared(session_folder / "bare", Shape(has_controllers=False)) as cluster,
            cluster.api("conformance") as api,
        ):
            _define_mpi_jobs(api)
            yield api
    except Unavailable as lacking:
        pytest.skip(f"no real API server: {lacking}")


def _define_mpi_jobs(api):
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    if not api.answers(f"{path}/{NAME}"):
        api.create(path, definition())
    api.until_answers("/apis/kubeflow.org/v2beta1/mpijobs")


def _fresh_namespace(api):
    name = f"c-{secrets.token_hex(5)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    # Made by a controller otherwise; without it a server takes no pods.
    api.create(f"/api/v1/namespaces/{name}/serviceaccounts", ACCOUNT)
    return name


@pytest.mark.slow  # Some hundred requests to a real server.
@pytest.mark.timeout(60 + EXAMPLES, func_only=True)
@pytest.mark.parametrize("kind", BASES, ids=str)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_servers_give_the_same_answers_and_the_same_changes(server, kind, data):
    asked = data.draw(st.lists(requests(kind), min_size=1, max_size=8))
    small, real = _told(server, kind, asked)
    assert small == real


@pytest.mark.parametrize("release", [Patch, Replace])
@pytest.mark.parametrize("kind", BASES, ids=str)
def test_they_agree_on_what_is_held_and_released(server, kind, release):
    # What is drawn seldom comes to this.
    held = Create(kind, "a", {"metadata": {"finalizers": ["example.com/hold"]}})
    released = {"metadata": {"finalizers": [], "annotations": {"note": "some text"}}}
    asked = [held, Delete(kind, "a"), release(kind, "a", released), Create(kind, "a", {})]
    small, real = _told(server, kind, asked)
    assert small == real


def _told(server, kind, asked):
    """Return what the small cluster and a real server tell: every answer, then all changes."""
    real, small = Real(server, _fresh_namespace(server), kind), Small()
    told = []
    for request in asked:
        if isinstance(request, Replace) and not small.has(request):
            continue
        told.append((small.does(request), real.does(request)))
    told.append((small.changes(kind), real.changes(kind)))
    return zip(*told, strict=True)
