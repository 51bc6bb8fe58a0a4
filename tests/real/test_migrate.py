"""Migrating on a real API server whose definition once stored v1alpha2.

The cluster has no node: nothing runs, and nothing has to.
"""

import copy

import pytest
import yaml

from harness.fake_site import define
from harness.recipes import TOP
from mpijob.api.crd import definition

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mpijobs.kubeflow.org"
JOBS = "/apis/kubeflow.org/{}/namespaces/default/mpijobs"


def _stored_as_v1alpha2():
    made = copy.deepcopy(definition(("v1alpha2", "v2beta1")))
    for row in made["spec"]["versions"]:
        row["storage"] = row["name"] == "v1alpha2"
    return made


@pytest.fixture(scope="module")
def story(plane, typed):
    """What was said and stored, step by step: an old definition, ours, and a migration."""
    told = {}
    with plane.api() as api:
        define(api, _stored_as_v1alpha2())
        job = yaml.safe_load((TOP / "examples/v1alpha2/pi.yaml").read_text())
        api.create(JOBS.format("v1alpha2"), job)

        def stored():
            return api.read(CRD)["status"]["storedVersions"]

        def written():
            return api.read(f"{JOBS.format('v2beta1')}/pi")["metadata"]["resourceVersion"]

        told["on the old definition"] = typed("migrate")
        told["installed"] = typed("install")
        told["stored before"] = stored()
        told["shown"] = typed("migrate")
        told["written before"] = written()
        told["done"] = typed("migrate", "--yes")
        told["stored after"], told["written after"] = stored(), written()
        told["again"] = typed("migrate", "--yes")
        told["without the old version"] = typed("install", "--serve=v2beta1", "--force")
        told["versions"] = [row["name"] for row in api.read(CRD)["spec"]["versions"]]
        told["job"] = api.read(f"{JOBS.format('v2beta1')}/pi")
    return told


def test_a_definition_that_stores_another_version_is_to_be_replaced_first(story):
    code, said, complaint = story["on the old definition"]
    assert (code, said, "mpijob install" in complaint) == (3, "", True), complaint


def test_what_would_change_is_shown_and_nothing_is_done(story):
    code, said, complaint = story["shown"]
    [first, *_] = [line.split() for line in said.splitlines()[1:]]
    assert (code, first[:4], complaint) == (
        0,
        ["default", "pi", "v1alpha2", "Pending"],
        "stored as v1alpha2, v2beta1; --yes stores all as v2beta1\n",
    )


def test_the_older_version_is_forgotten_once_that_is_said(story):
    assert (story["stored before"], story["stored after"]) == (
        ["v1alpha2", "v2beta1"],
        ["v2beta1"],
    )


def test_the_server_has_written_the_job_anew(story):
    assert story["written before"] != story["written after"]


def test_a_second_time_nothing_is_left_to_do(story):
    assert (story["again"][0], story["again"][2]) == (0, "every job is stored as v2beta1\n")


def test_an_installation_can_then_leave_it_out(story):
    assert story["versions"] == ["v2beta1"]


def test_the_job_is_what_it_was(story):
    written = yaml.safe_load((TOP / "examples/v1alpha2/pi.yaml").read_text())
    assert story["job"]["spec"] == written["spec"]
