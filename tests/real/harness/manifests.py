"""The MPIJobs that tests submit."""

from typing import Any

from harness.api import Object

#: One rank on each slot, each printing where it runs. Open MPI asks root whether it is sure.
HOSTNAME = ("mpirun", "hostname")
AS_ROOT = ("mpirun", "--allow-run-as-root", "hostname")


def job(
    name: str,
    image: str,
    *command: str,
    workers: int = 2,
    launcher: Object | None = None,
    worker: Object | None = None,
    **spec: Any,
) -> Object:
    """Return an MPIJob whose launcher runs `command`; what its workers run is left to mpijob.

    Args:
        name: Its name.
        image: What both roles run in.
        command: The launcher's command.
        workers: How many workers there are.
        launcher: Fields of the launcher's pod; those of its first container are merged.
        worker: Likewise the workers'.
        spec: Further fields of the spec.

    """
    roles = {
        "Launcher": {"replicas": 1, "template": _template(image, list(command), launcher or {})},
        "Worker": {"replicas": workers, "template": _template(image, [], worker or {})},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {"mpiReplicaSpecs": roles, **spec},
    }


#: Fields of a pod that keeps the restricted standard.
RESTRICTED: Object = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [
        {
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
        }
    ],
}


def user(uid: int) -> Object:
    """Return the fields of a pod that runs as that user."""
    return {"securityContext": {"runAsUser": uid}}


def _template(image: str, command: list[str], fields: Object) -> Object:
    container = {"name": "mpi", "image": image, **({"command": command} if command else {})}
    (given,) = fields.get("containers", ({},))
    return {"spec": {**fields, "containers": [{**container, **given}]}}
