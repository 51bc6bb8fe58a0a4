"""Which objects count on from others."""

import pytest

from mpijob.generate.numbered import surplus

LABELS = {"app": "x", "role": "worker"}


def pod(name, labels=LABELS, namespace="ns", kind="Pod"):
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels}}


MADE = [pod("x-master", {"app": "x", "role": "master"}), pod("x-worker-0"), pod("x-worker-1")]
CASES = {
    "the next": (pod("x-worker-2"), True),
    "one far above": (pod("x-worker-17"), True),
    "one that is made": (pod("x-worker-1"), False),
    "one without a number": (pod("x-worker-two"), False),
    "a number that is written otherwise": (pod("x-worker-02"), False),
    "another's number": (pod("x-server-2"), False),
    "labels of another": (pod("x-worker-2", {"app": "y", "role": "worker"}), False),
    "more labels than ours": (pod("x-worker-2", {**LABELS, "job-name": "x"}), False),
    "no labels": (pod("x-worker-2", {}), False),
    "another namespace": (pod("x-worker-2", namespace="other"), False),
    "another kind": (pod("x-worker-2", kind="Service"), False),
}


@pytest.mark.parametrize(("there", "counts_on"), CASES.values(), ids=CASES)
def test_what_counts_on_from_what_is_made(there, counts_on):
    assert list(surplus([there], MADE)) == ([there] if counts_on else [])


def test_where_nothing_is_numbered_nothing_counts_on():
    assert list(surplus([pod("x-worker-2")], MADE[:1])) == []
