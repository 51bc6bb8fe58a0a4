"""The launcher: a batch/v1 Job, so that its retries, deadline and end are Kubernetes' own."""

from collections.abc import Mapping
from typing import Any

from mpijob.core import mpi, names, transport
from mpijob.core.build.metadata import metadata
from mpijob.core.build.pod import PodPlan, pod_metadata, pod_spec
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob, Role
from mpijob.core.policy import shared_memory
from mpijob.core.transport import Setup, kubexec
from mpijob.core.transport.parts import Parts

_NOTHING: Mapping[str, str] = {}
_NO_GPUS = {"NVIDIA_VISIBLE_DEVICES": "", "NVIDIA_DRIVER_CAPABILITIES": ""}


def launcher(job: MPIJob, config: Config, setup: Setup, *, suspended: bool) -> Manifest:
    """Return the Job that runs the launcher; `suspended` for one that is not to run yet.

    It has no time to live of its own: the job's removes it, once its end is on record. Whoever
    removed it sooner would take the end with it, and the launcher would run again.

    Source: `newLauncherJob`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    policy = job.run_policy
    limits = {
        "activeDeadlineSeconds": policy.active_deadline_s,
        "backoffLimit": policy.backoff_limit,
        "suspend": True if suspended else None,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job, names.launcher(job.name)),
        "spec": {
            **{key: value for key, value in limits.items() if value is not None},
            "podReplacementPolicy": "Failed",
            "template": _template(job, config, setup),
        },
    }


def scheduling_directives(
    job: MPIJob, config: Config, setup: Setup, node_selector: Mapping[str, str] = _NOTHING
) -> Manifest:
    """Return the merge patch of a suspended Job's template that brings its directives up to date.

    Labels and annotations are merged, ours over those that are there; node selector, tolerations
    and scheduling gates are replaced, and so go where the job's template has none. Nothing else
    of a Job's template can be changed.

    Args:
        job: The job, whose launcher template may have been edited while it was suspended.
        config: The operator's settings.
        setup: Who sets up ssh.
        node_selector: That of the Job as it is. A merge patch keeps what it does not name, and
            so must name the node labels that are to go.

    Source: `syncLauncherSchedulingDirectives`, mpi-operator v0.8.2
    (pkg/controller/mpi_job_controller.go); KEP-2926.

    """
    template = _template(job, config, setup)
    spec = template["spec"]
    selector = spec.get("nodeSelector")
    return {
        "metadata": {
            key: template["metadata"][key]
            for key in ("labels", "annotations")
            if key in template["metadata"]
        },
        "spec": {
            "nodeSelector": _replacing(node_selector, selector) if selector else None,
            "tolerations": spec.get("tolerations") or None,
            "schedulingGates": spec.get("schedulingGates") or None,
        },
    }


def _template(job: MPIJob, config: Config, setup: Setup) -> Manifest:
    dialect = mpi.dialect(job.flavour)
    ranks, ssh_options = job.run_launcher_as_worker, transport.ssh_options(setup)
    on_host = setup is not Setup.AGENT and job.launcher.template["spec"].get("hostNetwork")
    parts = transport.launcher(job, config, setup)
    memory = shared_memory.parts(job, job.launcher, config) if ranks else Parts()
    plan = PodPlan(
        role=Role.LAUNCHER,
        hostname=names.launcher(job.name),
        parts=parts,
        env={
            names.ROLE_ENV: Role.LAUNCHER.value,
            **dialect.env(job.slots_per_worker, ssh_options),
            **(dialect.exec_env(kubexec.AGENT) if setup is Setup.EXEC else {}),
            **(dialect.on_host_env(runs_ranks=ranks) if on_host else {}),
            # A launcher that runs no ranks must not hold its node's GPUs.
            **({} if ranks else _NO_GPUS),
        },
        labels={names.REPLICA_INDEX_LABEL: "0"} if ranks else {},
        volumes=(_config_volume(job, parts.config_scripts), *memory.volumes),
        mounts=({"name": names.CONFIG_VOLUME, "mountPath": names.MPI_DIR},),
        own_mounts=memory.own_mounts,
    )
    return {
        "metadata": {
            **pod_metadata(job, job.launcher, plan, config),
            "ownerReferences": [names.owner(job.identity)],
        },
        "spec": pod_spec(job, job.launcher, plan, config),
    }


def _config_volume(job: MPIJob, scripts: tuple[str, ...]) -> Manifest:
    items = [
        {"key": names.HOSTFILE, "path": names.HOSTFILE, "mode": 0o444},
        *({"key": key, "path": key, "mode": 0o555} for key in (names.DISCOVER_HOSTS, *scripts)),
    ]
    source = {"name": names.config(job.name), "items": items}
    return {"name": names.CONFIG_VOLUME, "configMap": source}


def _replacing(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> Manifest:
    return {**dict.fromkeys(seen, None), **wanted}
