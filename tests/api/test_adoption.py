"""Which children of another operator's making we go on with."""

import pytest

from mpijob.api.adoption import adoptable
from mpijob.core.job import Identity, Key

JOB = Identity(Key("default", "pi"), "pi-uid", "1")


def child(uid="pi-uid", *, controller=True, **labels):
    owner = {"kind": "MPIJob", "name": "pi", "uid": uid, "controller": controller}
    return {"metadata": {"ownerReferences": [owner], "labels": labels}}


CHILDREN = {
    "one that mpi-operator made for this job": (child(), True),
    "one that is under our watch already": (child(**{"mpijob.dev/child": "true"}), False),
    "one of an earlier job of this name": (child("another-uid"), False),
    "one that this job owns but does not control": (child(controller=False), False),
    "one that nobody owns": ({"metadata": {}}, False),
}


@pytest.mark.parametrize(("there", "want"), CHILDREN.values(), ids=CHILDREN)
def test_adoptable(there, want):
    assert adoptable(there, JOB) is want
