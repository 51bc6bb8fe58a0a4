"""Ranks started by `kubectl exec`: no ssh and no keys, but a few rights of the launcher.

An init container brings kubectl, and waits for the workers. The launcher may look at its own job's
workers and execute in them, and in nothing else: its Role names each. Workers only idle.
"""

from mpijob.core import names, options
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.transport import kubexec_texts
from mpijob.core.transport.parts import Parts

KUBEXEC = "kubexec.sh"
DELIVER_KUBECTL = "deliver_kubectl.sh"
#: What MPI calls in place of ssh.
AGENT = f"{names.MPI_DIR}/{KUBEXEC}"
DELIVERY_CONTAINER = "kubectl-delivery"

_KUBECTL_VOLUME = "mpi-job-kubectl"
_KUBECTL_DIR = "/opt/kube"
#: As `sleep 365d`, which mpi-operator's workers run, but it ends when it is told to: what a worker
#: holds comes free at once. As the first process of a pod, `sleep` does not hear SIGTERM.
IDLE = ("/bin/sh", "-c", "trap 'exit 0' TERM INT; sleep 365d & wait")


def files(job: MPIJob) -> dict[str, str]:
    """Return the texts for the ConfigMap."""
    return {
        KUBEXEC: kubexec_texts.kubexec(_KUBECTL_DIR, job.main_container),
        DELIVER_KUBECTL: kubexec_texts.DELIVER_KUBECTL,
    }


def worker(job: MPIJob) -> Parts:
    """Return what a worker gets: the agent, since Open MPI looks for it on every host.

    Source: `newWorker`, mpi-operator v0.3.0 (pkg/controllers/v1).
    """
    items = [{"key": KUBEXEC, "path": KUBEXEC, "mode": 0o555}]
    source = {"name": names.config(job.name), "items": items}
    return Parts(
        command=IDLE,
        volumes=({"name": names.CONFIG_VOLUME, "configMap": source},),
        mounts=({"name": names.CONFIG_VOLUME, "mountPath": names.MPI_DIR},),
    )


def launcher(job: MPIJob, config: Config) -> Parts:
    """Return what the launcher gets: kubectl, the agent, and an account that may use them.

    Source: `newLauncher`, mpi-operator v0.3.0 (pkg/controllers/v1).
    """
    return Parts(
        volumes=({"name": _KUBECTL_VOLUME, "emptyDir": {}},),
        mounts=({"name": _KUBECTL_VOLUME, "mountPath": _KUBECTL_DIR},),
        config_scripts=(KUBEXEC, DELIVER_KUBECTL),
        init_containers=(_delivery(job, config),),
        service_account=names.launcher(job.name),
    )


def _delivery(job: MPIJob, config: Config) -> Manifest:
    """Return the init container that brings kubectl. Any image with kubectl and a shell will do."""
    wished = options.switched(job.identity.annotations, options.WAIT_FOR_WORKERS, default=True)
    wait = (names.HOSTFILE_PATH, names.launcher(job.name)) if wished and job.worker_count else ()
    amounts = {"cpu": "100m", "memory": "512Mi"}
    return {
        "name": DELIVERY_CONTAINER,
        "image": config.kubectl_delivery_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", f"{names.MPI_DIR}/{DELIVER_KUBECTL}", _KUBECTL_DIR, *wait],
        "env": [
            {"name": "TARGET_DIR", "value": _KUBECTL_DIR},
            {"name": "NAMESPACE", "value": job.namespace},
        ],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": _KUBECTL_VOLUME, "mountPath": _KUBECTL_DIR},
            {"name": names.CONFIG_VOLUME, "mountPath": names.MPI_DIR},
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
