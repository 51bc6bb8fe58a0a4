"""How v1alpha1 spreads processing units over workers."""

import pytest

from mpijob.core.allocation import Allocation, allocate, resource_of

CASES = {
    "two full nodes": ((16, 8), Allocation(2, 8)),
    "less than a node": ((4, 8), Allocation(1, 4)),
    "one full node": ((8, 8), Allocation(1, 8)),
    "a node and a half are no nodes": ((12, 8), None),
    "one a node": ((2, 1), Allocation(2, 1)),
}


@pytest.mark.parametrize(("asked", "want"), CASES.values(), ids=CASES)
def test_allocate(asked, want):
    assert allocate(*asked) == want


def test_whatever_is_no_cpu_is_a_gpu():
    assert [resource_of(name) for name in ("cpu", "nvidia.com/gpu", "fpga")] == [
        "cpu",
        "nvidia.com/gpu",
        "nvidia.com/gpu",
    ]
