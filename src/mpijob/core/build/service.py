"""The headless Service that gives every pod of a job its DNS name."""

from mpijob.core import names
from mpijob.core.build.metadata import metadata
from mpijob.core.job import Manifest, MPIJob


def service(job: MPIJob) -> Manifest:
    """Return the Service of `job`: named as the job, without a cluster IP.

    Pods that are not ready are published too: the launcher waits for every worker by name before
    any of them need be ready, and a launcher that runs ranks itself is one of the hosts.

    Source: `newJobService`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job, names.service(job.name)),
        "spec": {
            "clusterIP": "None",
            "selector": names.selector(job),
            "publishNotReadyAddresses": True,
        },
    }
