"""Every name, label, host name and path that is derived from a job's name, and nothing else.

A child's name is a function of its job's name, its role and its index, so that creating it twice
is harmless and no reconcile needs to remember what an earlier one did.
"""

import re
from functools import lru_cache

from mpijob.core.job import Identity, Manifest, MPIJob, Role
from mpijob.core.options import WRITTEN_IN
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import GROUP, Version

OPERATOR_NAME_LABEL = "training.kubeflow.org/operator-name"
JOB_NAME_LABEL = "training.kubeflow.org/job-name"
JOB_ROLE_LABEL = "training.kubeflow.org/job-role"
REPLICA_INDEX_LABEL = "training.kubeflow.org/replica-index"
REPLICA_TYPE_LABEL = "training.kubeflow.org/replica-type"
#: The label by which mpi-operator's v1 found a job's pods.
V1_JOB_NAME_LABEL = "mpi-job-name"
#: v1alpha2's label of a pod's role, which says the same on the pods of every version.
ROLE_TYPE_LABEL = "mpi_role_type"
#: What the operator's name is in the labels of pods, by which version their job was written in.
OPERATOR_NAMES = tuple(sorted({version.ways.operator_name for version in Version}))
#: On every child but pods: the label by which an operator of ours watches what concerns it.
CHILD_LABEL = "mpijob.dev/child"
ROLE_ENV = "K_MPI_JOB_ROLE"
EVENT_SOURCE = "mpi-job-controller"

MPI_DIR = "/etc/mpi"
HOSTFILE = "hostfile"
HOSTFILE_PATH = f"{MPI_DIR}/{HOSTFILE}"
DISCOVER_HOSTS = "discover_hosts.sh"
WAIT_FOR_WORKERS = "wait_for_workers.sh"
#: Where the set-up of ssh lies that is ours, and what there takes the place of `ssh`.
SETUP_DIR = "/etc/mpijob/setup"
SSH_WITH_ENVIRONMENT = "ssh_with_environment.sh"
SSH_VOLUME = "ssh-auth"
CONFIG_VOLUME = "mpi-job-config"

_WORKER = re.compile(r"^(?P<job>.+)-worker-(?P<index>0|[1-9][0-9]*)$")


def service(job: str) -> str:
    """Return the name of the headless Service, which is also the pods' subdomain."""
    return job


def config(job: str) -> str:
    """Return the name of the ConfigMap that holds the hostfile."""
    return f"{job}-config"


def secret(job: str) -> str:
    """Return the name of the Secret that holds the user's ssh key pair."""
    return f"{job}-ssh"


def host_keys(job: str) -> str:
    """Return the name of the Secret that holds the hosts' keys and known_hosts."""
    return f"{job}-ssh-host"


def pod_group(job: str) -> str:
    """Return the name of the gang scheduler's PodGroup."""
    return job


def launcher(job: str) -> str:
    """Return the name of the launcher's batch/v1 Job, which is also its pod's hostname."""
    return f"{job}-launcher"


def worker(job: str, index: int) -> str:
    """Return the name of the worker pod at `index` (0-based), which is also its hostname."""
    return f"{job}-worker-{index}"


@lru_cache(maxsize=256)
def workers(job: str, count: int) -> dict[str, int]:
    """Return the indexes (0-based) of so many workers by their pods' names, in order.

    Kept for jobs that are looked at again and again: a job of a thousand workers has its names
    read many times a look. The mapping must not be changed.
    """
    return {worker(job, index): index for index in range(count)}


def worker_index(pod: str) -> int | None:
    """Return the 0-based index in a worker pod's name, or None where it is no worker's name."""
    match = _WORKER.match(pod)
    return int(match["index"]) if match else None


def host(job: MPIJob, pod: str, cluster_domain: str) -> str:
    """Return the DNS name of a pod of `job`, as hostfiles spell it."""
    name = f"{pod}.{service(job.name)}.{job.namespace}.svc"
    return f"{name}.{cluster_domain}" if cluster_domain else name


def search_domain(job: MPIJob, cluster_domain: str) -> str:
    """Return the DNS domain under which the job's pods know each other by their short names."""
    return f"{service(job.name)}.{job.namespace}.svc.{cluster_domain or 'cluster.local'}"


def rank_hosts(job: MPIJob) -> tuple[str, ...]:
    """Return the pods that run ranks, in rank order: the launcher first, where it is one."""
    workers = tuple(worker(job.name, index) for index in range(job.worker_count))
    return (launcher(job.name), *workers) if job.run_launcher_as_worker else workers


def host_of_rank(job: MPIJob, rank: int) -> str | None:
    """Return the pod that a rank (0-based) is on where ranks fill slots in order; None for none."""
    hosts, index = rank_hosts(job), rank // job.slots_per_worker
    return hosts[index] if index < len(hosts) else None


def selector(job: MPIJob) -> dict[str, str]:
    """Return the labels by which the Service finds every pod of the job.

    Source: `newJobService`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    return {OPERATOR_NAME_LABEL: job.ways.operator_name, JOB_NAME_LABEL: job.name}


def pod_labels(job: MPIJob, role: Role) -> dict[str, str]:
    """Return the labels that tell a pod's job and role.

    Older versions had keys of their own: v1alpha1 and v1alpha2 with underscores, mpi-operator's v1
    with dashes. They are on every job's pods, so that what was written to find pods finds them.
    """
    if not job.ways.says_replica_type:
        told = {JOB_ROLE_LABEL: role.value}
    else:
        master = {JOB_ROLE_LABEL: "master"} if role is Role.LAUNCHER else {}
        told = {REPLICA_TYPE_LABEL: role.value, **master}
    return {
        **selector(job),
        **told,
        "group_name": GROUP,
        "mpi_job_name": job.name,
        ROLE_TYPE_LABEL: role.value,
        "group-name": GROUP,
        V1_JOB_NAME_LABEL: job.name,
        "mpi-job-role": role.value,
    }


def replica_index(job: MPIJob, worker_index: int) -> int:
    """Return the `replica-index` label's number of the worker at `worker_index` (0-based).

    Where the launcher runs ranks it is number 0, and the workers follow.
    """
    return worker_index + 1 if job.run_launcher_as_worker else worker_index


def ref(job: MPIJob, kind: Kind, name: str) -> Ref:
    """Return the address of a child of `job`."""
    return Ref(kind, job.namespace, name)


def job_ref(identity: Identity) -> Ref:
    """Return the address of the job itself."""
    return Ref(Kind.MPI_JOB, identity.key.namespace, identity.key.name)


def recorded(identity: Identity) -> bool:
    """Say whether it is on record which version the job was written in. v2beta1 needs none."""
    version = identity.written_in
    return version is Version.V2BETA1 or identity.annotations.get(WRITTEN_IN) == version.value


def record(identity: Identity) -> Manifest:
    """Return the merge patch that puts on record which version the job was written in."""
    return {"metadata": {"annotations": {WRITTEN_IN: identity.written_in.value}}}


def owner(identity: Identity) -> Manifest:
    """Return the owner reference that every child of the job bears."""
    return {
        "apiVersion": identity.api_version,
        "kind": "MPIJob",
        "name": identity.key.name,
        "uid": identity.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
