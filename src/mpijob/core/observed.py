"""What is seen of one job: a snapshot, perhaps stale, with the least that the decision needs."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from mpijob.core.job import Manifest, MPIJob, Rejected
from mpijob.core.plan import Kind


class PodPhase(StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Child(Struct, frozen=True):
    """What every view has: name, identity, who controls it, and the version seen.

    `owner_uid` is the uid of the controller owner reference, "" where there is none.
    """

    name: str
    uid: str
    owner_uid: str
    version: str


class ServiceView(Child, frozen=True):
    """The headless Service: the fields of it that are ours."""

    selector: Mapping[str, str] = field(default_factory=dict)
    publishes_not_ready: bool = False


class ConfigView(Child, frozen=True):
    """The ConfigMap: its text, and the annotation of ours that says which set-up the job has."""

    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class SecretView(Child, frozen=True):
    """A Secret: the names of its keys. What is under them is never cached."""

    keys: frozenset[str] = frozenset()


class RoleView(Child, frozen=True):
    """The launcher's Role, whose rules are all ours."""

    rules: tuple[Manifest, ...] = ()


class RoleBindingView(Child, frozen=True):
    """What gives the launcher its Role: the names of the accounts that have it."""

    accounts: tuple[str, ...] = ()


class End(Struct, frozen=True):
    """How a batch/v1 Job ended: its terminal condition."""

    succeeded: bool
    reason: str
    message: str
    at: datetime | None


class LauncherView(Child, frozen=True):
    """The launcher's batch/v1 Job. `node_selector` is its template's, which a resume replaces.

    Its `kind` is POD where it is no Job but a pod by itself, as v1's operators made it. It cannot
    be held, and ends where it is deleted; `deleting` says that it was told to.
    """

    suspended: bool = False
    started_at: datetime | None = None
    end: End | None = None
    active_count: int = 0
    failed_count: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = Kind.JOB
    deleting: bool = False


#: Why a container ended that could not be started: containerd's word, and Docker's.
_NEVER_BEGAN = ("StartError", "ContainerCannotRun")


class ContainerView(Struct, frozen=True):
    """One container of a pod (init containers too): how it waits, runs or has ended."""

    name: str
    init: bool = False
    waiting_reason: str = ""
    waiting_message: str = ""
    running: bool = False
    exit_code: int | None = None
    ended_reason: str = ""
    ended_message: str = ""
    ended_at: datetime | None = None
    restart_count: int = 0

    @property
    def has_run(self) -> bool:
        """Whether a run of it has ended; one that could not begin ends too, and said nothing."""
        return self.exit_code is not None and self.ended_reason not in _NEVER_BEGAN


class PodView(Child, frozen=True):
    """A worker's or the launcher's pod.

    `index` is the `replica-index` label's number, None where there is none. `unschedulable` is
    the scheduler's message while no node takes the pod, else "". `running_since` is when the last
    of its containers began that run, by the clock of its node.
    """

    phase: PodPhase = PodPhase.PENDING
    ready: bool = False
    deleting: bool = False
    reason: str = ""
    message: str = ""
    node: str = ""
    index: int | None = None
    unschedulable: str = ""
    created_at: datetime | None = None
    running_since: datetime | None = None
    containers: tuple[ContainerView, ...] = ()


def launcher_alone(pod: PodView) -> LauncherView:
    """Return the launcher that is this pod: its end is the pod's, and nobody tries it again."""
    ended = pod.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)
    well = pod.phase is PodPhase.SUCCEEDED
    at = max((c.ended_at for c in pod.containers if c.ended_at is not None), default=None)
    return LauncherView(
        pod.name,
        pod.uid,
        pod.owner_uid,
        pod.version,
        started_at=pod.running_since,
        end=End(well, "", "", at) if ended else None,
        active_count=0 if ended else 1,
        failed_count=int(ended and not well),
        kind=Kind.POD,
        deleting=pod.deleting,
    )


class PodGroupView(Child, frozen=True):
    """The PodGroup of a gang scheduler, whose whole spec is ours."""

    spec: Manifest = field(default_factory=dict)


class Observed(Struct, frozen=True):
    """One job and all that bears its names or its uid, whoever owns it.

    `launcher_pods` are the pods that the launcher's Job controls, or the launcher itself where it
    is a pod; `workers` the pods that the job controls and those that stand under a wanted worker's
    name. `priorities` maps the names of PriorityClasses to their values, as far as the job's
    templates name any.
    """

    job: MPIJob | Rejected
    service: ServiceView | None = None
    config: ConfigView | None = None
    secret: SecretView | None = None
    host_keys: SecretView | None = None
    launcher: LauncherView | None = None
    launcher_pods: tuple[PodView, ...] = ()
    workers: tuple[PodView, ...] = ()
    pod_group: PodGroupView | None = None
    account: Child | None = None
    role: RoleView | None = None
    role_binding: RoleBindingView | None = None
    priorities: Mapping[str, int] = field(default_factory=dict)

    def named(self) -> list[tuple[Kind, Child]]:
        """Return the children of which a job has one by that name, with their kinds: all but pods.

        A launcher that is a pod is among them.
        """
        found = (
            (Kind.SERVICE, self.service),
            (Kind.CONFIG_MAP, self.config),
            (Kind.SECRET, self.secret),
            (Kind.SECRET, self.host_keys),
            (Kind.JOB if self.launcher is None else self.launcher.kind, self.launcher),
            (Kind.POD_GROUP, self.pod_group),
            (Kind.SERVICE_ACCOUNT, self.account),
            (Kind.ROLE, self.role),
            (Kind.ROLE_BINDING, self.role_binding),
        )
        return [(kind, child) for kind, child in found if child is not None]
