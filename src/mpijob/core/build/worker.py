"""A worker: a host that waits for ranks."""

from collections.abc import Iterable, Iterator

from mpijob.core import names, transport
from mpijob.core.build.pod import PodPlan, pod_metadata, pod_spec
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob, Role
from mpijob.core.policy import shared_memory
from mpijob.core.transport import Setup


def workers(
    job: MPIJob, indexes: Iterable[int], config: Config, setup: Setup
) -> Iterator[Manifest]:
    """Yield the worker pods at those indexes (0-based); see `worker`.

    They differ in their names and indexes alone, and share all else.
    """
    first: Manifest | None = None
    for index in indexes:
        if first is None:
            first = worker(job, index, config, setup)
            yield first
        else:
            yield _renamed(job, first, index)


def _renamed(job: MPIJob, pod: Manifest, index: int) -> Manifest:
    """Return the worker at `index` that is like another one."""
    name, metadata = names.worker(job.name, index), pod["metadata"]
    number = str(names.replica_index(job, index))
    labels = {**metadata["labels"], names.REPLICA_INDEX_LABEL: number}
    return {
        **pod,
        "metadata": {**metadata, "name": name, "labels": labels},
        "spec": {**pod["spec"], "hostname": name},
    }


def worker(job: MPIJob, index: int, config: Config, setup: Setup) -> Manifest:
    """Return the worker pod at `index` (0-based).

    Raises:
        ValueError: The job has no workers, so nobody may ask for one: a bug.

    Source: `newWorker`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).

    """
    if job.worker is None:
        raise ValueError(f"{job.key} has no workers")
    name = names.worker(job.name, index)
    memory = shared_memory.parts(job, job.worker, config)
    plan = PodPlan(
        role=Role.WORKER,
        hostname=name,
        parts=transport.worker(job, setup),
        env={names.ROLE_ENV: Role.WORKER.value},
        labels={names.REPLICA_INDEX_LABEL: str(names.replica_index(job, index))},
        volumes=memory.volumes,
        own_mounts=memory.own_mounts,
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": job.namespace,
            "name": name,
            "ownerReferences": [names.owner(job.identity)],
            **pod_metadata(job, job.worker, plan, config),
        },
        "spec": pod_spec(job, job.worker, plan, config),
    }
