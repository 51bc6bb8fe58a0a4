"""The MPIJob that runs a task: a manifest, from the task's config and its own resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from mpijob.api.new_job import API_VERSION
from mpijob.sdk.task_config import (
    CleanPodPolicy,
    HorovodJob,
    Resources,
    RestartPolicy,
    Role,
    RunPolicy,
    TaskConfig,
    gpu_count,
    horovodrun,
    slot_count,
    worker_count,
)


class Wanted(Struct, frozen=True):
    """What a job is to be.

    Args:
        name: Its name's beginning; some letters are drawn after it.
        config: How many workers and slots, and what is particular to a role.
        program: What every rank runs.
        requests: What a worker asks for, where its own config does not say.
        limits: What a worker gets at most, the same.
        image: The container image; "" on this machine, where programs are those that are here.
        environment: Variables of every rank.
        timeout_s: How long it may run, None for as long as it takes.
        namespace: "" for the place's own.

    """

    name: str
    config: TaskConfig
    program: Sequence[str]
    requests: Resources | None = None
    limits: Resources | None = None
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int | None = None
    namespace: str = ""


def rank_count(wanted: Wanted) -> int:
    """Return how many ranks the job has: one in every slot of every worker."""
    return worker_count(wanted.config) * slots(wanted)


def slots(wanted: Wanted) -> int:
    """Return how many ranks a worker takes."""
    return slot_count(wanted.config, gpu_count(wanted.config, wanted.requests, wanted.limits))


def manifest(wanted: Wanted) -> dict[str, Any]:
    """Return the job, with the fields alone that somebody who writes one by hand would write."""
    config = wanted.config
    metadata = {"generateName": f"{wanted.name}-"}
    if wanted.namespace:
        metadata["namespace"] = wanted.namespace
    launcher = {
        **_container(wanted, config.launcher, "launcher"),
        "command": list(config.launcher.command or _launch_command(wanted)),
    }
    worker = _container(wanted, config.worker, "worker")
    if config.worker.command:
        worker["command"] = list(config.worker.command)
    if "resources" not in worker and (wanted.requests or wanted.limits):
        worker["resources"] = _resources(wanted.requests, wanted.limits)
    return {
        "apiVersion": API_VERSION,
        "kind": "MPIJob",
        "metadata": metadata,
        "spec": {
            "slotsPerWorker": slots(wanted),
            "runPolicy": _run_policy(config.run_policy or RunPolicy(), wanted.timeout_s),
            "mpiReplicaSpecs": {
                "Launcher": {"replicas": 1, **_role(config.launcher, launcher)},
                "Worker": {"replicas": worker_count(config), **_role(config.worker, worker)},
            },
        },
    }


# How it is done.

_RESOURCE_NAMES = {
    "cpu": "cpu",
    "mem": "memory",
    "gpu": "nvidia.com/gpu",
    "ephemeral_storage": "ephemeral-storage",
}
_RESTART_POLICIES = {
    RestartPolicy.ALWAYS: "Always",
    RestartPolicy.FAILURE: "OnFailure",
    RestartPolicy.NEVER: "Never",
}
_CLEAN_POD_POLICIES = {
    CleanPodPolicy.NONE: "None",
    CleanPodPolicy.ALL: "All",
    CleanPodPolicy.RUNNING: "Running",
}


def _launch_command(wanted: Wanted) -> list[str]:
    """Return what the launcher runs: a rank for every slot."""
    ranks = rank_count(wanted)
    if isinstance(wanted.config, HorovodJob):
        return [*horovodrun(wanted.config, ranks, slots(wanted)), *wanted.program]
    return ["mpirun", "-n", str(ranks), *wanted.program]


def _container(wanted: Wanted, role: Role, name: str) -> dict[str, Any]:
    """Return a role's container, up to its command."""
    container: dict[str, Any] = {"name": name}
    image = role.image or wanted.image
    if image:
        container["image"] = image
    if wanted.environment:
        each = wanted.environment.items()
        container["env"] = [{"name": key, "value": value} for key, value in each]
    if role.requests or role.limits:
        container["resources"] = _resources(role.requests, role.limits)
    return container


def _role(role: Role, container: dict[str, Any]) -> dict[str, Any]:
    """Return a role's restart policy and its template."""
    policy = {"restartPolicy": _RESTART_POLICIES[role.restart_policy or RestartPolicy.NEVER]}
    return {**policy, "template": {"spec": {"containers": [container]}}}


def _resources(requests: Resources | None, limits: Resources | None) -> dict[str, Any]:
    """Return resources as Kubernetes has them."""
    both = {"requests": _amounts(requests), "limits": _amounts(limits)}
    return {name: amounts for name, amounts in both.items() if amounts}


def _amounts(resources: Resources | None) -> dict[str, str]:
    given = {told: getattr(resources, name, None) for name, told in _RESOURCE_NAMES.items()}
    return {told: str(value) for told, value in given.items() if value is not None}


def _run_policy(policy: RunPolicy, timeout_s: int | None) -> dict[str, Any]:
    """Return the run policy; a failed run is tried again as a new job, by whoever wants that."""
    clean = policy.clean_pod_policy or CleanPodPolicy.RUNNING
    said = {
        "ttlSecondsAfterFinished": policy.ttl_seconds_after_finished,
        "activeDeadlineSeconds": timeout_s or policy.active_deadline_seconds,
    }
    return {
        "cleanPodPolicy": _CLEAN_POD_POLICIES[clean],
        "backoffLimit": policy.backoff_limit or 0,
        **{name: value for name, value in said.items() if value is not None},
    }
