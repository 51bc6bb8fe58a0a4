"""What a launcher that starts ranks by `kubectl exec` may do: an account, a Role, a binding."""

from mpijob.core import names
from mpijob.core.build.metadata import metadata
from mpijob.core.job import Manifest, MPIJob

_RBAC = "rbac.authorization.k8s.io"


def own_account(job: MPIJob) -> bool:
    """Say whether the launcher's account is ours to make: its template names none."""
    return not job.launcher.template["spec"].get("serviceAccountName")


def account_name(job: MPIJob) -> str:
    """Return the name of the launcher's account; one that the template names is kept."""
    given = job.launcher.template["spec"].get("serviceAccountName")
    return given or names.launcher(job.name)


def account(job: MPIJob) -> Manifest:
    """Return the launcher's account. Only pods that ask for its token get it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(job, names.launcher(job.name)),
        "automountServiceAccountToken": False,
    }


def rules(job: MPIJob) -> list[Manifest]:
    """Return what the launcher may do: look at its workers, and execute in them.

    Each is named. Without workers there is no rule, for one that names nobody would mean everybody.
    kubectl asks to `get` where it speaks by WebSocket, and to `create` where it does not.

    Source: `newLauncherRole`, mpi-operator v0.2.2 (pkg/controllers/v1alpha2).
    """
    workers = list(names.workers(job.name, job.worker_count))
    if not workers:
        return []
    return [
        _rule("pods", ["get"], workers),
        _rule("pods/exec", ["create", "get"], workers),
    ]


def role(job: MPIJob) -> Manifest:
    """Return the Role with these rules."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(job, names.launcher(job.name)),
        "rules": rules(job),
    }


def role_binding(job: MPIJob) -> Manifest:
    """Return what gives the launcher's account that Role."""
    name = names.launcher(job.name)
    subject = {"kind": "ServiceAccount", "name": account_name(job), "namespace": job.namespace}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(job, name),
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [subject],
    }


def _rule(resource: str, verbs: list[str], named: list[str]) -> Manifest:
    return {"apiGroups": [""], "resources": [resource], "verbs": verbs, "resourceNames": named}
