"""The operator's processes: their Deployment, and what is said about them to the cluster."""

from collections.abc import Iterator
from typing import Any

from mpijob.core import names
from mpijob.core.job import Manifest
from mpijob.generate.settings import (
    HEALTH_PORT,
    LABELS,
    METRICS_PORT,
    Installation,
)

#: What every pod of a job bears, whichever job it is.
_JOB_PODS = {
    "matchExpressions": [
        {
            "key": names.OPERATOR_NAME_LABEL,
            "operator": "In",
            "values": list(names.OPERATOR_NAMES),
        },
        {"key": names.JOB_NAME_LABEL, "operator": "Exists"},
    ],
}


def deployment(chosen: Installation) -> Manifest:
    """Return the Deployment: it keeps the restricted pod standard, and needs no writable file."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(chosen),
        "spec": {
            "replicas": chosen.replicas,
            "selector": {"matchLabels": chosen.selector},
            "template": {
                "metadata": {
                    "labels": chosen.labels,
                    # It speaks to the API server alone, as mpi-operator's does.
                    "annotations": {"sidecar.istio.io/inject": "false"},
                },
                "spec": _pod(chosen),
            },
        },
    }


def arguments(chosen: Installation) -> list[str]:
    """Return the operator's command line, less the name of the program."""
    per_node = chosen.gpus_per_node
    told = {
        "gpus-per-node": str(per_node) if per_node != 1 else "",
        "namespace": chosen.watched,
        "gang-scheduling": chosen.gang,
        "cluster-domain": chosen.cluster_domain,
    }
    return [
        "operator",
        f"--lock-namespace={chosen.namespace}",
        f"--monitoring-port={METRICS_PORT}",
        f"--kubectl-delivery-image={chosen.kubectl_delivery_image}",
        *(f"--{name}={value}" for name, value in told.items() if value),
    ]


def surroundings(chosen: Installation) -> Iterator[Manifest]:
    """Yield what the cluster is told about the operator: disruptions, metrics, who may reach it."""
    metadata = _metadata(chosen)
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        # One may always go: the others take over, and nobody's drain is held up.
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": chosen.selector}},
    }
    port = {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "name": f"{chosen.name}-metrics"},
        "spec": {"selector": chosen.selector, "ports": [port]},
    }
    if chosen.network_policies:
        ports = [{"port": number} for number in (HEALTH_PORT, METRICS_PORT)]
        yield _policy(metadata, {"matchLabels": chosen.selector}, {"ports": ports})
        if chosen.watched:
            yield jobs_policy(chosen.watched)


def jobs_policy(namespace: str = "") -> Manifest:
    """Return a NetworkPolicy for a namespace's jobs: their pods reach each other, nobody else does.

    On any port, since MPI draws its ports.

    Args:
        namespace: Where it stands; "" leaves that to whoever applies it.

    """
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": "mpijob-jobs", **place, "labels": LABELS}
    return _policy(metadata, _JOB_PODS, {"from": [{"podSelector": _JOB_PODS}]})


def _pod(chosen: Installation) -> dict[str, Any]:
    term = {
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {"matchLabels": chosen.selector},
            "topologyKey": "kubernetes.io/hostname",
        },
    }
    return {
        "serviceAccountName": chosen.name,
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            # The image names the user, by number; some clusters choose another.
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}
        },
        "containers": [_container(chosen)],
    }


def _container(chosen: Installation) -> dict[str, Any]:
    return {
        "name": "operator",
        "image": chosen.image,
        "args": arguments(chosen),
        "ports": [
            {"name": "health", "containerPort": HEALTH_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "livenessProbe": _probe("/healthz", 10, initialDelaySeconds=10),
        "readinessProbe": _probe("/readyz", 2),
        # A thousand jobs of four workers take 100 MB; a restart among many takes twice as much.
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, period_s: int, **further: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "health"}, "periodSeconds": period_s, **further}


def _policy(
    metadata: dict[str, Any], selector: dict[str, Any], ingress: dict[str, Any]
) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [ingress]},
    }


def _metadata(chosen: Installation) -> dict[str, Any]:
    return {"name": chosen.name, "namespace": chosen.namespace, "labels": chosen.labels}
