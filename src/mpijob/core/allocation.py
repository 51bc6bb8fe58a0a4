"""How v1alpha1 spreads processing units over workers: so many in all, so many a node."""

from msgspec import Struct

GPU = "nvidia.com/gpu"
CPU = "cpu"


class UnitDefaults(Struct, frozen=True):
    """What the operator's flags say of processing units, where a v1alpha1 job says nothing.

    Args:
        gpus_per_node: For jobs that ask for `gpus`.
        units_per_node: For jobs that ask for `processingUnits`.
        resource: Which resource a processing unit is: `nvidia.com/gpu` or `cpu`.

    """

    gpus_per_node: int = 1
    units_per_node: int = 1
    resource: str = GPU


class Allocation(Struct, frozen=True):
    """So many workers with so many units each."""

    workers: int
    units: int


def resource_of(name: str) -> str:
    """Return the resource that `processingResourceType` means: whatever is not `cpu` is a GPU.

    Source: `allocateProcessingUnits`, mpi-operator v0.2.3 (pkg/controllers/v1alpha1).
    """
    return CPU if name == CPU else GPU


def allocate(total: int, per_node: int) -> Allocation | None:
    """Return the workers that `total` units make, or None where nodes cannot be filled with them.

    Fewer than a node has make one worker. Both numbers are at least 1.

    Source: `allocateProcessingUnits`, mpi-operator v0.2.3 (pkg/controllers/v1alpha1).
    """
    if total < per_node:
        return Allocation(1, total)
    return None if total % per_node else Allocation(total // per_node, per_node)
