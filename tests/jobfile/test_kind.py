"""What is no MPIJob of a version that is read, and what it was meant to be."""

import pytest

from mpijob.jobfile.kind import kind_findings

VERSION = "kubeflow.org/v2beta1"
KINDS = {
    "an MPIJob": ({"kind": "MPIJob", "apiVersion": VERSION}, []),
    "a kind in the wrong case": (
        {"kind": "MpiJob", "apiVersion": VERSION},
        [("kind", 'there is no kind "MpiJob"', 'Did you mean "MPIJob"?')],
    ),
    "a kind of something else": (
        {"kind": "Deployment", "apiVersion": "apps/v1"},
        [("kind", "this is a Deployment, where an MPIJob is wanted", "")],
    ),
    "a list of objects": (
        {"kind": "List", "apiVersion": "v1"},
        [
            (
                "kind",
                "this is a List, where a job file holds one MPIJob alone",
                "Put each item into a file of its own.",
            )
        ],
    ),
    "a kind that is no text": (
        {"kind": 3, "apiVersion": VERSION},
        [("kind", "must be the text MPIJob", "")],
    ),
    "an older version": (
        {"kind": "MPIJob", "apiVersion": "kubeflow.org/v1"},
        [],
    ),
    "a version that never was": (
        {"kind": "MPIJob", "apiVersion": "kubeflow.org/v2"},
        [
            (
                "apiVersion",
                'there is no version "kubeflow.org/v2" of MPIJob',
                'Did you mean "kubeflow.org/v2beta1"?',
            )
        ],
    ),
    "a version that is no text": (
        {"kind": "MPIJob", "apiVersion": ["v1"]},
        [("apiVersion", "must be the text kubeflow.org/v2beta1", "")],
    ),
    "no version": (
        {"kind": "MPIJob"},
        [
            (
                "apiVersion",
                "Required value: a job file says which version it is written in",
                "apiVersion: kubeflow.org/v2beta1",
            )
        ],
    ),
}


@pytest.mark.parametrize(("manifest", "said"), KINDS.values(), ids=KINDS)
def test_what_is_said_of(manifest, said):
    found = kind_findings(manifest)
    assert [(one.field, one.message, one.hint) for one in found] == said
