"""Leases, as clients of every kind read and write them."""

from mpijob.api.lease import Holding, claim, holding, new_lease, renewal
from mpijob.core.plan import Kind, Ref
from mpijob.testing.worlds import NOON

REF = Ref(Kind.LEASE, "mpi-operator", "mpi-operator")
AT = "2026-01-01T12:00:00.000000Z"


def test_what_was_written_is_read():
    made = {**new_lease(REF, "a", 15, NOON), "metadata": {"resourceVersion": "7"}}
    assert holding(made, 1) == Holding("7", "a", AT, 15)


def test_a_lease_that_says_nothing_is_held_by_nobody():
    assert holding({"metadata": {}}, 15) == Holding("", "", "None", 15)


def test_a_claim_says_since_when_and_a_renewal_does_not():
    assert (
        claim("a", 15, NOON)["spec"]["acquireTime"],
        "acquireTime" in renewal("a", 15, NOON)["spec"],
    ) == (AT, False)
