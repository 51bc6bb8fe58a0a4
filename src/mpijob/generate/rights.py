"""Who may do what: the operator no more than it does, and users by mpi-operator's role names.

A test plays jobs against a real API server under these rights alone, and compares what was asked
with what is granted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from mpijob.api.crd import STORED
from mpijob.core.job import Manifest
from mpijob.generate.settings import LABELS, Installation

LEASE = "mpi-operator"
#: Roles of users, as mpi-operator names them.
ADMIN, EDIT, VIEW = "kubeflow-mpijobs-admin", "kubeflow-mpijobs-edit", "kubeflow-mpijobs-view"

_RBAC = "rbac.authorization.k8s.io"
_KUBEFLOW = "rbac.authorization.kubeflow.org"
_CHILD_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_POD_GROUPS = {"volcano": "scheduling.volcano.sh"}
_CO_SCHEDULING = "scheduling.x-k8s.io"


def operator_rules(chosen: Installation) -> list[Manifest]:
    """Return what the operator may do where its jobs are.

    The right to update finalizers is never used: a server that guards `blockOwnerDeletion` asks
    for it before an object may have an owner. Nor is that to execute in pods: nobody may grant
    what they may not do, and launchers are granted it.
    """
    rules = [
        _rule("kubeflow.org", ("mpijobs",), ("get", "list", "watch", *_older(chosen))),
        _rule("kubeflow.org", ("mpijobs/status",), ("patch",)),
        _rule("kubeflow.org", ("mpijobs/finalizers",), ("update",)),
        _rule("", ("pods",), ("get", "list", "watch", "create", "delete", *_of_v1(chosen))),
        _rule("", ("services", "configmaps", "secrets"), _CHILD_VERBS),
        _rule("batch", ("jobs",), _CHILD_VERBS),
        _rule("batch", ("jobs/status",), ("patch",)),
        _rule("", ("events",), ("create",)),
    ]
    if chosen.kubectl_delivery_image:
        rules.append(_rule("", ("serviceaccounts",), _CHILD_VERBS))
        rules.append(_rule(_RBAC, ("roles", "rolebindings"), _CHILD_VERBS))
        rules.append(_rule("", ("pods/exec",), ("create", "get")))
    if chosen.gang:
        rules.append(
            _rule(_POD_GROUPS.get(chosen.gang, _CO_SCHEDULING), ("podgroups",), _CHILD_VERBS)
        )
    return rules


def _older(chosen: Installation) -> tuple[str, ...]:
    """Return what the operator does to jobs of older versions.

    It notes which it is, and a v1 job goes with its time to live.
    """
    patch = ("patch",) if set(chosen.served) - {STORED} else ()
    return (*patch, "delete") if "v1" in chosen.served else patch


def _of_v1(chosen: Installation) -> tuple[str, ...]:
    """Return what the operator does to pods that mpi-operator's v1 made: it marks them."""
    return ("patch",) if "v1" in chosen.served else ()


def lease_rules() -> list[Manifest]:
    """Return what the operator may do in its own namespace: take and keep its Lease.

    A right to create cannot be bound to a name.
    """
    named = _rule("coordination.k8s.io", ("leases",), ("get", "patch"))
    return [
        _rule("coordination.k8s.io", ("leases",), ("create",)),
        {**named, "resourceNames": [LEASE]},
    ]


def operator_rights(chosen: Installation) -> Iterator[Manifest]:
    """Yield the operator's account, its roles and what binds them."""
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(chosen, chosen.name, chosen.namespace),
        "automountServiceAccountToken": False,
    }
    rules = operator_rules(chosen)
    yield from _granted(chosen, chosen.name, rules, chosen.watched)
    yield from _granted(chosen, f"{chosen.name}-lease", lease_rules(), chosen.namespace)
    if chosen.gang:
        # Priority classes belong to no namespace.
        classes = [_rule("scheduling.k8s.io", ("priorityclasses",), ("list", "watch"))]
        name = f"{chosen.name}-priorities"
        yield from _granted(chosen, f"{name}-{chosen.watched}".rstrip("-"), classes, "")


def user_roles() -> Iterator[Manifest]:
    """Yield the roles by which users may see, change and administer jobs.

    They become part of Kubeflow's roles, as mpi-operator's do, and of Kubernetes' own.
    """
    whole = ("get", "list", "watch", "create", "delete", "deletecollection", "patch", "update")
    to_admin = f"{_KUBEFLOW}/aggregate-to-{ADMIN}"
    yield _role(ADMIN, {f"{_KUBEFLOW}/aggregate-to-kubeflow-admin": "true"}) | {
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {to_admin: "true"}}]}
    }
    yield _role(
        EDIT,
        {
            f"{_KUBEFLOW}/aggregate-to-kubeflow-edit": "true",
            to_admin: "true",
            f"{_RBAC}/aggregate-to-admin": "true",
            f"{_RBAC}/aggregate-to-edit": "true",
        },
    ) | {"rules": [_rule("kubeflow.org", ("mpijobs", "mpijobs/status"), whole)]}
    yield _role(
        VIEW,
        {
            f"{_KUBEFLOW}/aggregate-to-kubeflow-view": "true",
            f"{_RBAC}/aggregate-to-view": "true",
        },
    ) | {"rules": [_rule("kubeflow.org", ("mpijobs", "mpijobs/status"), whole[:3])]}


def _granted(
    chosen: Installation, name: str, rules: list[Manifest], namespace: str
) -> Iterator[Manifest]:
    """Yield a role and its binding to the operator: in one namespace, or "" for all of them."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = _metadata(chosen, name, namespace)
    yield {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}
    subject = {"kind": "ServiceAccount", "name": chosen.name, "namespace": chosen.namespace}
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
        "subjects": [subject],
    }


def _role(name: str, labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": {**LABELS, **labels}}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata}


def _metadata(chosen: Installation, name: str, namespace: str) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": chosen.labels}


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Manifest:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
