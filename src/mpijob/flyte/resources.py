"""What a container of a task gets of CPUs, memory, disk and GPUs, as Flyte's backend reckons it."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from msgspec import Struct, field

from mpijob.core import quantity
from mpijob.flyte.template import BadTaskSpecification, Entry, Platform, ResourcesWire

Amounts = Mapping[str, str]

_NAMES = {
    "CPU": "cpu",
    "MEMORY": "memory",
    "GPU": "gpu",
    "EPHEMERAL_STORAGE": "ephemeral-storage",
}


class Requirements(Struct, frozen=True):
    """Requests and limits of a container, by Kubernetes' names."""

    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)

    def under(self, other: "Requirements") -> "Requirements":
        """Return these with what the other says in their place, resource by resource."""
        return Requirements(
            {**self.requests, **other.requests},
            {**self.limits, **other.limits},
        )


def requirements(wire: ResourcesWire | None, platform: Platform) -> Requirements:
    """Return what a message asks for; an amount of zero is none.

    Raises:
        BadTaskSpecification: an amount is no quantity.

    Source: `ToK8sResourceRequirements`, flyteplugins (go/tasks/pluginmachinery/flytek8s/utils.go).

    """
    if wire is None:
        return Requirements()
    return Requirements(_amounts(wire.requests, platform), _amounts(wire.limits, platform))


def completed(asked: Requirements, platform: Platform) -> Requirements:
    """Return requirements in which every resource has both a request and a limit.

    Each stands in for the other, and the platform's default for CPU and memory where there is
    neither. No request is above its limit.

    Source: `ApplyResourceOverrides`, flyteplugins (…/flytek8s/container_helper.go).
    """
    requests, limits = dict(asked.requests), dict(asked.limits)
    defaults = {"cpu": platform.cpu, "memory": platform.memory}
    optional = [
        name
        for name in ("ephemeral-storage", platform.gpu_resource)
        if name in requests or name in limits
    ]
    for name in (*defaults, *optional):
        request = requests.get(name) or limits.get(name) or defaults[name]
        limit = limits.get(name) or request
        requests[name] = limit if _amount(request) > _amount(limit) else request
        limits[name] = limit
    return Requirements(requests, limits)


def _amounts(entries: Iterable[Entry], platform: Platform) -> Amounts:
    found = {}
    for entry in entries:
        name = _NAMES.get(entry.name)
        try:
            amount = quantity.parse(entry.value).amount
        except quantity.NotAQuantity as error:
            told = f"invalid TaskSpecification on Resources: {entry.name or 'UNKNOWN'}: {error}"
            raise BadTaskSpecification(told) from None
        if name is not None and amount:
            found[platform.gpu_resource if name == "gpu" else name] = entry.value
    return found


def _amount(text: str) -> Fraction:
    return quantity.parse(text).amount
