"""What a task's MPI job is to be, as Flyte's `kfmpi` plugin has it: the same names and defaults.

Pure values, and what they make of themselves for Flyte's backend: the command of the task's
container, and the payload that Flyte's plugins for Kubeflow read.

Source: `flytekitplugins.kfmpi` and `flytekit.Resources`, flytekit 1.16.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

Amount = str | int | float
#: A request and a limit in one, which `task(resources=…)` alone takes.
Amounts = Amount | list[Any] | tuple[Any, ...]


class Resources(Struct, frozen=True):
    """What a container asks for, as Kubernetes' quantities: CPUs, bytes of memory and disk, GPUs.

    Raises:
        TypeError: A value is of a type that is no quantity.
        ValueError: A pair of request and limit has not two values.

    """

    cpu: Amounts | None = None
    mem: Amounts | None = None
    gpu: Amounts | None = None
    ephemeral_storage: Amounts | None = None

    def __post_init__(self) -> None:
        """Refuse what is no quantity."""
        for name in self.__struct_fields__:
            kinds = (str, int, float) if name == "cpu" else (str, int)
            _check(name, getattr(self, name), kinds)


class RestartPolicy(Enum):
    """Whether a pod's containers are started again; the values are those of Flyte's wire."""

    ALWAYS = 2
    FAILURE = 1
    NEVER = 0


class CleanPodPolicy(Enum):
    """Which pods go once the job has ended; the values are those of Flyte's wire."""

    NONE = 0
    ALL = 2
    RUNNING = 1


class RunPolicy(Struct, frozen=True):
    """How a job's life is limited; times are in seconds, None is the operator's default."""

    clean_pod_policy: CleanPodPolicy | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None


class Role(Struct, frozen=True):
    """What a role's pods are: how many, and where they differ from the task's own container."""

    command: Sequence[str] | None = None
    image: str | None = None
    requests: Resources | None = None
    limits: Resources | None = None
    replicas: int | None = None
    restart_policy: RestartPolicy | None = None


class Worker(Role, frozen=True):
    """The workers."""


class Launcher(Role, frozen=True):
    """The launcher, of which there is always one."""


class MPIJob(Struct, frozen=True):
    """A task that runs as an MPI job, a rank in every slot of every worker.

    Args:
        launcher: What is particular to the launcher.
        worker: What is particular to the workers, and how many there are.
        run_policy: How the job's life is limited.
        slots: Ranks a worker; not given, it is a worker's GPUs where it has some, else 1.
        num_launcher_replicas: Flyte's older way to say `launcher.replicas`.
        num_workers: Flyte's older way to say `worker.replicas`.

    """

    launcher: Launcher = field(default_factory=Launcher)
    worker: Worker = field(default_factory=Worker)
    run_policy: RunPolicy | None = None
    slots: int | UnsetType = UNSET
    num_launcher_replicas: int | None = None
    num_workers: int | None = None


class HorovodJob(Struct, frozen=True):
    """A task that `horovodrun` starts on an MPI job's workers.

    Args:
        worker: What is particular to the workers, and how many there are.
        launcher: What is particular to the launcher.
        run_policy: How the job's life is limited.
        slots: Ranks a worker; not given, it is a worker's GPUs where it has some, else 1.
        verbose: Whether horovodrun tells what it does.
        log_level: Of horovodrun, such as "INFO".
        discovery_script_path: The script in the launcher that prints hosts and slots.
        elastic_timeout: Seconds that horovodrun waits for hosts after a change of them.
        num_launcher_replicas: Flyte's older way to say `launcher.replicas`.
        num_workers: Flyte's older way to say `worker.replicas`.

    """

    worker: Worker = field(default_factory=Worker)
    launcher: Launcher = field(default_factory=Launcher)
    run_policy: RunPolicy | None = None
    slots: int | UnsetType = UNSET
    verbose: bool | None = False
    log_level: str | None = "INFO"
    discovery_script_path: str | None = "/etc/mpi/discover_hosts.sh"
    elastic_timeout: int | None = 1200
    num_launcher_replicas: int | None = None
    num_workers: int | None = None


TaskConfig = MPIJob | HorovodJob

#: Where Flyte's images have the program that `mpirun` gives to Python.
ENTRYPOINT = "/opt/venv/bin/entrypoint.py"
RESOLVER = "flytekit.core.python_auto_container.default_task_resolver"


def check(config: TaskConfig) -> None:
    """Refuse a config that says the number of workers or launchers twice, or not at all.

    Raises:
        ValueError: Where the plugin raises one too.

    """
    for role, replicas, number, name in (
        ("workers", config.worker.replicas, config.num_workers, "num_workers"),
        ("launchers", config.launcher.replicas, config.num_launcher_replicas, _LAUNCHERS),
    ):
        new = f"`{role[:-1]}.replicas`"
        if number and replicas:
            raise ValueError(
                f"the number of {role} is given twice, as {new} ({replicas}) and as `{name}` "
                f"({number}): drop `{name}`, which is the older way"
            )
        if number is None and replicas is None:
            raise ValueError(f"the number of {role} is not given: set {new} or `{name}`")


def worker_count(config: TaskConfig) -> int:
    """Return how many workers there are, which is at least one.

    Raises:
        ValueError: There would be none, or fewer.

    """
    count = config.num_workers or config.worker.replicas or 0
    if count < 1:
        raise ValueError(f"an MPI job needs at least 1 worker, not {count}: set `worker.replicas`")
    return count


def slot_count(config: TaskConfig, gpus: int = 0) -> int:
    """Return the ranks a worker: as given, else one for each of a worker's GPUs, at least one.

    Raises:
        ValueError: There would be none.

    """
    if config.slots is UNSET:
        return max(gpus, 1)
    if config.slots < 1:
        raise ValueError(f"a worker needs at least 1 slot, not {config.slots}: set `slots`")
    return config.slots


def gpu_count(config: TaskConfig, requests: Resources | None, limits: Resources | None) -> int:
    """Return how many GPUs a worker has: its own say, else the task's; 0 where none says any."""
    own = config.worker.requests, config.worker.limits
    given = own if any(own) else (requests, limits)
    counts = [int(one.gpu) for one in given if one is not None and isinstance(one.gpu, str | int)]
    return max(counts, default=0)


def requests_and_limits(
    resources: Resources | None, requests: Resources | None, limits: Resources | None
) -> tuple[Resources | None, Resources | None]:
    """Return what a task asks for and gets at most, however it was said.

    Args:
        resources: Both in one: a pair is a request and a limit, a single value a request.
        requests: The one alone, where there are no `resources`.
        limits: The other.

    Raises:
        ValueError: It is said in both ways, or a pair where one value is to be.

    """
    if resources is None:
        for one in (requests, limits):
            resource_entries(one)
        return requests, limits
    if requests is not None or limits is not None:
        raise ValueError("`resources` says requests and limits: leave `requests` and `limits` out")
    given = {name: getattr(resources, name) for name in resources.__struct_fields__}
    pairs = {name: value for name, value in given.items() if isinstance(value, list | tuple)}
    asked = {name: pairs[name][0] if name in pairs else value for name, value in given.items()}
    return Resources(**asked), Resources(**{name: pair[1] for name, pair in pairs.items()})


def base_command(module: str, name: str, resolver: str = RESOLVER) -> list[str]:
    """Return the command by which a container of Flyte runs the task `name` of `module`."""
    templates = {
        "--inputs": "{{.input}}",
        "--output-prefix": "{{.outputPrefix}}",
        "--raw-output-data-prefix": "{{.rawOutputDataPrefix}}",
        "--checkpoint-path": "{{.checkpointOutputPrefix}}",
        "--prev-checkpoint": "{{.prevCheckpointPrefix}}",
        "--resolver": resolver,
    }
    options = [word for pair in templates.items() for word in pair]
    return ["pyflyte-execute", *options, "--", "task-module", module, "task-name", name]


def get_command(config: TaskConfig, base: Sequence[str], entrypoint: str = ENTRYPOINT) -> list[str]:
    """Return the arguments of the task's container on Flyte, as the plugin makes them.

    `slots` that are not given are 1 here, whatever the GPUs: Flyte is told what its own plugin
    would tell it.

    Args:
        config: The task's config.
        base: What runs the task in one process: see `base_command`.
        entrypoint: The program of the image that mpirun gives to Python.

    """
    ranks = worker_count(config) * slot_count(config)
    if isinstance(config, HorovodJob):
        return [*horovodrun(config, ranks, slot_count(config)), *base]
    return [*_MPIRUN, "-np", str(ranks), "python", entrypoint, *base]


def horovodrun(config: HorovodJob, ranks: int, slots: int) -> list[str]:
    """Return the line of horovodrun, up to the program."""
    words = {
        "-np": ranks,
        "--log-level": config.log_level,
        "--network-interface": "eth0",
        "--min-np": ranks,
        "--max-np": ranks,
        "--slots-per-host": slots,
        "--host-discovery-script": config.discovery_script_path,
        "--elastic-timeout": config.elastic_timeout,
    }
    line = ["horovodrun", *(str(word) for pair in words.items() for word in pair)]
    return [*line, "--verbose"] if config.verbose else line


def get_custom(config: TaskConfig) -> dict[str, Any]:
    """Return the payload of a task for Flyte's backend, as the plugin makes it.

    It is JSON of `DistributedMPITrainingTask` (flyteidl.plugins.kubeflow), in which a field that
    has its type's zero is left out.
    """
    worker = _replica(config.worker, config.num_workers)
    launcher = _replica(config.launcher, config.num_launcher_replicas)
    custom = {"workerReplicas": worker, "launcherReplicas": launcher}
    slots = 1 if config.slots is UNSET else config.slots
    told = {**custom, **_said({"slots": slots})}
    if config.run_policy is not None:
        told["runPolicy"] = _run_policy(config.run_policy)
    return told


# How it is done.

_LAUNCHERS = "num_launcher_replicas"
_MPIRUN = (
    *("mpirun", "--allow-run-as-root", "-bind-to", "none", "-map-by", "slot"),
    *("-x", "LD_LIBRARY_PATH", "-x", "PATH", "-x", "NCCL_DEBUG=INFO"),
    *("-mca", "pml", "ob1", "-mca", "btl", "^openib"),
)
_RESOURCE_NAMES = {
    "cpu": "CPU",
    "mem": "MEMORY",
    "gpu": "GPU",
    "ephemeral_storage": "EPHEMERAL_STORAGE",
}
_RESTART_POLICIES = {
    RestartPolicy.ALWAYS: "RESTART_POLICY_ALWAYS",
    RestartPolicy.FAILURE: "RESTART_POLICY_ON_FAILURE",
}
_CLEAN_POD_POLICIES = {
    CleanPodPolicy.ALL: "CLEANPOD_POLICY_ALL",
    CleanPodPolicy.RUNNING: "CLEANPOD_POLICY_RUNNING",
}


def _check(name: str, value: object, kinds: tuple[type, ...]) -> None:
    """Refuse a value that is no quantity of these types, and no pair of such."""
    each = value if isinstance(value, list | tuple) else (value,)
    if value is not None and not all(isinstance(one, kinds) for one in each):
        told = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"Resources: {name}={value!r} is no quantity: it must be {told}")
    if isinstance(value, list | tuple) and len(value) != 2:
        raise ValueError(f"Resources: {name}={value!r} must be a request and a limit")


def _replica(replica: Role, number: int | None) -> dict[str, Any]:
    """Return a role's part of the payload; `number` is the older say on how many there are."""
    restart = _RESTART_POLICIES.get(replica.restart_policy) if replica.restart_policy else None
    said = {
        "replicas": number or replica.replicas,
        "image": replica.image,
        "restartPolicy": restart,
        "command": list(replica.command or ()),
    }
    resources = {
        "requests": resource_entries(replica.requests),
        "limits": resource_entries(replica.limits),
    }
    return {**_said(said), "resources": _said(resources)}


def _run_policy(policy: RunPolicy) -> dict[str, Any]:
    """Return the run policy's part of the payload."""
    clean = policy.clean_pod_policy
    return _said(
        {
            "cleanPodPolicy": _CLEAN_POD_POLICIES.get(clean) if clean else None,
            "ttlSecondsAfterFinished": policy.ttl_seconds_after_finished,
            "activeDeadlineSeconds": policy.active_deadline_seconds,
            "backoffLimit": policy.backoff_limit,
        }
    )


def resource_entries(resources: Resources | None) -> list[dict[str, str]]:
    """Return resources as the entries of the payload. Raises ValueError for pairs."""
    entries = []
    for name, told in _RESOURCE_NAMES.items():
        value = getattr(resources, name, None)
        if isinstance(value, list | tuple):
            raise ValueError(f"{name}={value!r} is a request and a limit, where one is to be said")
        if value is not None:
            entries.append({"name": told, **_said({"value": str(value)})})
    return entries


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are not their type's zero."""
    return {name: value for name, value in fields.items() if value}
