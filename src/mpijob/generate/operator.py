"""All that an installation puts into a cluster: settings to manifests, in the order they are made.

`mpijob install` applies them; `deploy/` and the Helm chart are written from them.
"""

from collections.abc import Iterator

from mpijob.api.crd import definition
from mpijob.core.job import Manifest
from mpijob.generate.rights import operator_rights, user_roles
from mpijob.generate.settings import LABELS, Installation
from mpijob.generate.workload import deployment, surroundings


def installation(chosen: Installation) -> tuple[Manifest, ...]:
    """Return every object, in an order in which each finds what it needs."""
    return (namespace(chosen), *shared(chosen), *own(chosen))


def namespace(chosen: Installation) -> Manifest:
    """Return the operator's namespace, in which the restricted pod standard holds."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": chosen.namespace, "labels": {**LABELS, **restricted}},
    }


def serving(chosen: Installation) -> Iterator[Manifest]:
    """Yield the least that runs jobs: the definition, and an operator with its rights."""
    yield _definition(chosen)
    yield from operator_rights(chosen)
    yield deployment(chosen)


def shared(chosen: Installation) -> Iterator[Manifest]:
    """Yield what jobs and their users need, whether an operator runs or not."""
    yield _definition(chosen)
    yield from user_roles()


def own(chosen: Installation) -> Iterator[Manifest]:
    """Yield what is there for the operator alone."""
    yield from operator_rights(chosen)
    yield deployment(chosen)
    yield from surroundings(chosen)


def _definition(chosen: Installation) -> Manifest:
    crd = definition(chosen.served, chosen.known)
    return {**crd, "metadata": {**crd["metadata"], "labels": LABELS}}
