"""Every kind has its row."""

import pytest

from mpijob.cluster.kinds import RESOURCES, qualified, resource_of
from mpijob.core.plan import Kind


def test_every_kind_has_a_row():
    assert set(RESOURCES) == set(Kind)


@pytest.mark.parametrize(
    ("kind", "version", "served"),
    [
        ("MPIJob", "kubeflow.org/v2beta1", True),
        ("MPIJob", "kubeflow.org/v1", True),
        ("Job", "batch/v1", True),
        ("Job", "v1", False),
        ("Cat", "v1", False),
    ],
)
def test_a_kind_is_served_in_its_versions(kind, version, served):
    assert (resource_of({"kind": kind, "apiVersion": version}) is not None) is served


@pytest.mark.parametrize(
    ("version", "name"), [("v1", "pods"), ("batch/v1", "jobs.batch"), ("a.b/v1", "x.a.b")]
)
def test_a_name_is_qualified_by_its_group(version, name):
    assert qualified(name.partition(".")[0], version) == name
