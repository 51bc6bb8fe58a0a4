"""Pod templates as the rules look at them: containers with their paths, users and amounts."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mpijob.core import quantity
from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.job import Manifest

ROLES = (LAUNCHER, WORKER)


class Part(Struct, frozen=True):
    """A piece of a manifest and its path; lookups of what is not there give empty pieces."""

    path: str
    value: Manifest

    def part(self, field: str) -> "Part":
        """Return the object in a field."""
        inner = self.value.get(field)
        return Part(f"{self.path}.{field}", inner if isinstance(inner, Mapping) else {})

    def parts(self, field: str) -> Sequence["Part"]:
        """Return the objects in a field's list."""
        inner = self.value.get(field)
        return [
            Part(f"{self.path}.{field}[{index}]", item)
            for index, item in enumerate(inner if isinstance(inner, list | tuple) else ())
            if isinstance(item, Mapping)
        ]

    def texts(self, field: str) -> Sequence[tuple[str, str]]:
        """Return the texts in a field's list, each with its path."""
        inner = self.value.get(field)
        return [
            (item, f"{self.path}.{field}[{index}]")
            for index, item in enumerate(inner if isinstance(inner, list | tuple) else ())
            if isinstance(item, str)
        ]

    def text(self, field: str) -> str:
        """Return the text in a field, "" where there is none."""
        inner = self.value.get(field)
        return inner if isinstance(inner, str) else ""


def pod_spec(draft: Draft, role: str) -> Part | None:
    """Return the pod spec of a role's template, None where the job has no such role."""
    replica = (draft.replicas or {}).get(role)
    if replica is None:
        return None
    return Part(f"spec.mpiReplicaSpecs[{role}].template", replica.template).part("spec")


def main_container(draft: Draft, role: str) -> Part | None:
    """Return a role's first container, which runs the ranks; None where there is none."""
    spec = pod_spec(draft, role)
    containers = spec.parts("containers") if spec is not None else ()
    return containers[0] if containers else None


def user_id(draft: Draft, role: str) -> int | None:
    """Return the uid that a role's first container is given, None where the image decides."""
    for part in (main_container(draft, role), pod_spec(draft, role)):
        uid = part.part("securityContext").value.get("runAsUser") if part is not None else None
        if isinstance(uid, int) and not isinstance(uid, bool):
            return uid
    return None


def variables(container: Part) -> dict[str, str]:
    """Return the variables that a container is given with their values."""
    return {entry.text("name"): entry.text("value") for entry in container.parts("env")}


def amount(container: Part, resource: str) -> Fraction | None:
    """Return how much of a resource a container is limited to; None where nothing is said."""
    limits: Mapping[str, Any] = container.part("resources").part("limits").value
    try:
        return quantity.parse(limits[resource]).amount
    except (KeyError, TypeError, quantity.NotAQuantity):
        return None


def gpus(container: Part) -> tuple[str, int]:
    """Return the resource by which a container asks for GPUs, and how many; "" and 0 for none."""
    for resource in container.part("resources").part("limits").value:
        if resource.endswith("/gpu"):
            count = amount(container, resource)
            if count:
                return resource, int(count)
    return "", 0
