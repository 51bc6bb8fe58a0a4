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


def shared(chosen: Installation) -> Iterator[Manifest]:
    """Yield what jobs and their users need, whether an operator runs or not."""
    crd = definition(chosen.served, chosen.known)
    yield {**crd, "metadata": {**crd["metadata"], "labels": LABELS}}
    yield from user_roles()


def own(chosen: Installation) -> Iterator[Manifest]:
    """Yield what is there for the operator alone."""
    yield from operator_rights(chosen)
    yield deployment(chosen)
    yield from surroundings(chosen)
