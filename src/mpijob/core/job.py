"""The MPIJob as the core sees it: intent, total and valid, with every default already in."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct, field

from mpijob.core.status import JobStatus
from mpijob.core.version import Version, Ways

#: A JSON object. Values of this type are never changed once they are handed on.
Manifest = Mapping[str, Any]


class Flavour(StrEnum):
    """The MPI implementations whose dialects we speak (`spec.mpiImplementation`)."""

    OPEN_MPI = "OpenMPI"
    INTEL = "Intel"
    MPICH = "MPICH"


class CleanPodPolicy(StrEnum):
    """Which worker pods go once the job is finished (`spec.runPolicy.cleanPodPolicy`)."""

    NONE = "None"
    RUNNING = "Running"
    ALL = "All"


class LauncherStart(StrEnum):
    """When the launcher's Job is made (`spec.launcherCreationPolicy`)."""

    AT_STARTUP = "AtStartup"
    WHEN_WORKERS_READY = "WaitForWorkersReady"


class RestartPolicy(StrEnum):
    """Whether the kubelet starts a pod's containers again (`restartPolicy` of a replica).

    `ALWAYS` is for workers of older versions alone.
    """

    NEVER = "Never"
    ON_FAILURE = "OnFailure"
    ALWAYS = "Always"


class Role(StrEnum):
    """The two roles of a job's pods, as their label `job-role` spells them."""

    LAUNCHER = "launcher"
    WORKER = "worker"


class Key(NamedTuple):
    """Where a job stands: one job a key, whatever came and went under it before.

    Looked up and taken apart so often that it is a tuple.
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Replica(Struct, frozen=True):
    """One role's pods: how many, and after which template (a PodTemplateSpec, as JSON)."""

    count: int
    restart_policy: RestartPolicy
    template: Manifest


class SchedulingPolicy(Struct, frozen=True):
    """What a gang scheduler is told (`spec.runPolicy.schedulingPolicy`); None where unsaid."""

    min_available: int | None = None
    queue: str | None = None
    min_resources: Mapping[str, str] | None = None
    priority_class: str | None = None
    schedule_timeout_s: int | None = None


class RunPolicy(Struct, frozen=True):
    """How the job runs and ends (`spec.runPolicy`); durations in seconds, None where unsaid."""

    clean_pods: CleanPodPolicy = CleanPodPolicy.NONE
    ttl_s: int | None = None
    active_deadline_s: int | None = None
    backoff_limit: int | None = None
    scheduling: SchedulingPolicy | None = None
    suspended: bool = False
    managed_by: str | None = None


class Identity(Struct, frozen=True):
    """Which object a job is: what fences, owner references and events need of it.

    `version` is the resourceVersion seen, an opaque string. `api_version` is the one that the
    operator watches (`kubeflow.org/v2beta1`), under which children are owned; `written_in` is the
    one whose ways the job keeps to.
    """

    key: Key
    uid: str
    version: str
    api_version: str = "kubeflow.org/v2beta1"
    created_at: datetime | None = None
    generation: int = 1
    deleting: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    written_in: Version = Version.V2BETA1


class MPIJob(Struct, frozen=True):
    """One job's intent and its last published status.

    `main_container` is the worker's container in which ranks are started by exec; "" for the first.
    """

    identity: Identity
    launcher: Replica
    worker: Replica | None = None
    slots_per_worker: int = 1
    run_launcher_as_worker: bool = False
    run_policy: RunPolicy = RunPolicy()
    ssh_auth_mount_path: str = "/root/.ssh"
    launcher_start: LauncherStart = LauncherStart.AT_STARTUP
    flavour: Flavour = Flavour.OPEN_MPI
    main_container: str = ""
    status: JobStatus = JobStatus()

    @property
    def key(self) -> Key:
        """Where the job stands."""
        return self.identity.key

    @property
    def name(self) -> str:
        """The job's name, from which every child's name is derived."""
        return self.identity.key.name

    @property
    def namespace(self) -> str:
        """The namespace of the job and of all its children."""
        return self.identity.key.namespace

    @property
    def uid(self) -> str:
        """The uid that tells this job from others of its name."""
        return self.identity.uid

    @property
    def ways(self) -> Ways:
        """What the version that the job was written in does in its own way."""
        return self.identity.written_in.ways

    @property
    def worker_count(self) -> int:
        """How many workers are wanted; 0 for a job that has a launcher alone."""
        return self.worker.count if self.worker else 0

    @property
    def suspended(self) -> bool:
        """Whether the job is wanted not to run for now."""
        return self.run_policy.suspended


class Problem(Struct, frozen=True):
    """One thing that is wrong with a job: where (a field path), what, and of which kind.

    `kind` is the API machinery's word for it: `Invalid value`, `Required value`,
    `Unsupported value`, `Duplicate value`, `Forbidden`. `value` is as the message shows it.
    """

    field: str
    kind: str
    detail: str
    value: str | None = None

    def __str__(self) -> str:
        shown = f": {self.value}" if self.value is not None else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.field}: {self.kind}{shown}{detail}"


class Rejected(Struct, frozen=True):
    """An MPIJob that cannot be run as it is written, with every reason at once.

    `managed_by` is as written: a job that somebody else looks after is not ours to judge.
    """

    identity: Identity
    problems: tuple[Problem, ...]
    status: JobStatus = JobStatus()
    managed_by: str | None = None
