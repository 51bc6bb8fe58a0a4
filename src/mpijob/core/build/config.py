"""The ConfigMap with the hostfile, and with what the transport keeps there."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from mpijob.core import mpi, names, options, transport
from mpijob.core.build.metadata import metadata
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.transport import Setup
from mpijob.core.version import Version


def config(job: MPIJob, running: Iterable[str], config: Config, setup: Setup) -> Manifest:
    """Return the ConfigMap of `job`.

    Its annotation records who sets up ssh, so that the pods of a job agree on it for good.

    Args:
        job: The job; every wanted worker is in its hostfile, whatever becomes of its pod.
        running: The names of the worker pods that run, for `discover_hosts.sh`.
        config: Gives the cluster's domain.
        setup: Who sets up ssh.

    Source: `newConfigMap`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).

    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, names.config(job.name))
        | {"annotations": {options.SSH_SETUP: setup.value}},
        "data": config_data(job, running, config, setup),
    }


def config_data(
    job: MPIJob, running: Iterable[str], config: Config, setup: Setup
) -> Mapping[str, str]:
    """Return the texts of the ConfigMap of `job` by their keys; see `config`."""
    domain = _domain(job, config, setup)
    return {
        names.HOSTFILE: _hostfile(
            domain,
            job.name,
            job.worker_count,
            mpi.dialect(job.flavour).slots_suffix(job.slots_per_worker),
            with_launcher=job.run_launcher_as_worker,
        ),
        names.DISCOVER_HOSTS: _discover_hosts(job, running, domain),
        **transport.files(job, setup),
    }


@lru_cache(maxsize=64)
def _hostfile(
    domain: str, job: str, worker_count: int, slots_suffix: str, *, with_launcher: bool
) -> str:
    """Return a line for each host, in rank order. Large jobs are looked at often: it is kept."""
    rest = f"{domain}{slots_suffix}\n"
    first = f"{names.launcher(job)}{rest}" if with_launcher else ""
    return first + "".join([f"{names.worker(job, i)}{rest}" for i in range(worker_count)])


def _domain(job: MPIJob, config: Config, setup: Setup) -> str:
    """Return what follows a pod's name where hosts are listed: kubectl knows them by that alone."""
    return "" if setup is Setup.EXEC else names.host(job, "", config.cluster_domain)


def _discover_hosts(job: MPIJob, running: Iterable[str], domain: str) -> str:
    """Return the script by which Elastic Horovod asks for hosts: an echo each, sorted as text.

    Older versions say the slots of each host as well.
    """
    if job.identity.written_in is not Version.V2BETA1:
        domain = f"{domain}:{job.slots_per_worker}"
    first = [names.launcher(job.name)] if job.run_launcher_as_worker else []
    lines = [f"echo {host}{domain}\n" for host in (*first, *sorted(running))]
    return "#!/bin/sh\n" + "".join(lines)
