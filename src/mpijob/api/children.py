"""From children on the wire to the views that the core decides on: slim, and blind to the rest.

A view is decoded from a mapping (the small cluster's) or from the bytes that came over HTTP by one
set of structs; what is not named here is skipped by the decoder and costs nothing. Secrets are
seen by the names of their keys alone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from mpijob.api.manifest import order_of
from mpijob.core import names
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import (
    Child,
    ConfigView,
    ContainerView,
    End,
    LauncherView,
    PodGroupView,
    PodPhase,
    PodView,
    RoleBindingView,
    RoleView,
    SecretView,
    ServiceView,
)
from mpijob.core.plan import Kind

T = TypeVar("T")


_LABELS = {"job_name": names.JOB_NAME_LABEL, "replica_index": names.REPLICA_INDEX_LABEL}


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """A struct of the wire: camelCase names, unknown fields skipped."""


class _Owner(_Wire):
    uid: str = ""
    kind: str = ""
    name: str = ""
    api_version: str = ""
    controller: bool = False


class _Labels(msgspec.Struct, gc=False, rename=_LABELS):
    """The labels that are read. Pods have a dozen more, and there are many pods."""

    job_name: str = ""
    replica_index: str = ""


class _Meta(_Wire):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: _Labels | None = None
    owner_references: list[_Owner] | None = None


class _PodMeta(_Meta):
    creation_timestamp: datetime | None = None
    deletion_timestamp: str | None = None


class _AnnotatedMeta(_Meta):
    annotations: dict[str, str] | None = None


class _ServiceSpec(_Wire):
    selector: dict[str, str] | None = None
    publish_not_ready_addresses: bool = False


class _Service(_Wire):
    metadata: _Meta
    spec: _ServiceSpec = msgspec.field(default_factory=_ServiceSpec)


class _ConfigMap(_Wire):
    metadata: _AnnotatedMeta
    data: dict[str, str] | None = None


class _Secret(_Wire):
    metadata: _Meta
    data: dict[str, msgspec.Raw | str] | None = None


class _Condition(_Wire):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _JobCondition(_Condition):
    last_transition_time: datetime | None = None


class _JobPodSpec(_Wire):
    node_selector: dict[str, str] | None = None


class _JobTemplate(_Wire):
    spec: _JobPodSpec = msgspec.field(default_factory=_JobPodSpec)


class _JobSpec(_Wire):
    suspend: bool | None = None
    template: _JobTemplate = msgspec.field(default_factory=_JobTemplate)


class _JobStatus(_Wire):
    active: int = 0
    failed: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: list[_JobCondition] | None = None


class _Job(_Wire):
    metadata: _Meta
    spec: _JobSpec = msgspec.field(default_factory=_JobSpec)
    status: _JobStatus = msgspec.field(default_factory=_JobStatus)


class _Waiting(_Wire):
    reason: str = ""
    message: str = ""


class _Running(_Wire):
    started_at: datetime | None = None


class _Terminated(_Wire):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


class _State(_Wire):
    waiting: _Waiting | None = None
    running: _Running | None = None
    terminated: _Terminated | None = None


class _ContainerStatus(_Wire):
    name: str = ""
    restart_count: int = 0
    state: _State = msgspec.field(default_factory=_State)
    last_state: _State = msgspec.field(default_factory=_State)


class _PodStatus(_Wire):
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None


class _PodSpec(_Wire):
    node_name: str = ""


class _Pod(_Wire):
    metadata: _PodMeta
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class _PodGroup(_Wire):
    metadata: _Meta
    spec: dict[str, Any] = msgspec.field(default_factory=dict)


class _PriorityClass(_Wire):
    metadata: _Meta
    value: int = 0


class _Account(_Wire):
    metadata: _Meta


class _Role(_Wire):
    metadata: _Meta
    rules: list[dict[str, Any]] | None = None


class _Subject(_Wire):
    name: str = ""


class _RoleBinding(_Wire):
    metadata: _Meta
    subjects: list[_Subject] | None = None


class Seen(msgspec.Struct, frozen=True):
    """A view with what the cache files it under.

    `owner_kind` and `owner_name` are those of the controller reference ("" where there is none).
    `job_name` is what the pod's label says. `order` is `order_of` the object's version, 0 for a
    PriorityClass, whose version does not matter.
    """

    key: Key
    view: Child | int
    owner_kind: str = ""
    owner_name: str = ""
    job_name: str = ""
    order: int = 0

    def tells_news(self, before: "Seen | None") -> bool:
        """Say whether this tells more than `before` did that a decision turns on.

        Another version alone does not, nor where a pod goes, which is for people to read.
        """
        if before is self:
            return False
        if before is None or type(before.view) is not type(self.view):
            return True
        was, view = before.view, self.view
        if isinstance(was, PodView) and isinstance(view, PodView):
            was = replace(
                was, version=view.version, node=view.node, unschedulable=view.unschedulable
            )
        elif isinstance(was, Child) and isinstance(view, Child):
            was = replace(was, version=view.version)
        return was != view or _labels(before) != _labels(self)


def _labels(seen: Seen) -> tuple[Key, str, str, str]:
    return seen.key, seen.owner_kind, seen.owner_name, seen.job_name


def seen(kind: Kind, manifest: Manifest | bytes) -> Seen:
    """Return the view of one child.

    Raises:
        msgspec.ValidationError: the object is not of the shape that Kubernetes gives its kind.

    """
    found = _READERS.get(kind)
    if found is None:
        raise ValueError(f"{kind} is no child of a job")
    shape, read = found
    return read(_decoded(manifest, shape))


def _decoded(manifest: Manifest | bytes, shape: type[T]) -> T:
    if isinstance(manifest, bytes):
        return msgspec.json.decode(manifest, type=shape)
    return msgspec.convert(manifest, shape)


def _filed(meta: _Meta, view: Child | int) -> Seen:
    owner = _controller(meta)
    job_name = meta.labels.job_name if meta.labels else ""
    order = 0 if isinstance(view, int) else order_of(meta.resource_version)
    return Seen(Key(meta.namespace, meta.name), view, owner.kind, owner.name, job_name, order)


_NOBODY = _Owner()


def _controller(meta: _Meta) -> _Owner:
    for owner in meta.owner_references or ():
        if owner.controller:
            return owner
    return _NOBODY


def _identity(meta: _Meta) -> tuple[str, str, str, str]:
    return meta.name, meta.uid, _controller(meta).uid, meta.resource_version


def _service(wire: _Service) -> Seen:
    spec = wire.spec
    view = ServiceView(
        *_identity(wire.metadata), spec.selector or {}, spec.publish_not_ready_addresses
    )
    return _filed(wire.metadata, view)


def _config(wire: _ConfigMap) -> Seen:
    meta = wire.metadata
    data = {name: _kept_once(text) for name, text in (wire.data or {}).items()}
    return _filed(meta, ConfigView(*_identity(meta), data, meta.annotations or {}))


@lru_cache(maxsize=64)
def _kept_once(text: str) -> str:
    """Return the first text that said the same: all jobs have the same scripts, of 7 KB."""
    return text


def _secret(wire: _Secret) -> Seen:
    return _filed(wire.metadata, SecretView(*_identity(wire.metadata), frozenset(wire.data or ())))


def _job(wire: _Job) -> Seen:
    status = wire.status
    view = LauncherView(
        *_identity(wire.metadata),
        suspended=bool(wire.spec.suspend),
        started_at=status.start_time,
        end=_end(status),
        active_count=status.active,
        failed_count=status.failed,
        node_selector=wire.spec.template.spec.node_selector or {},
    )
    return _filed(wire.metadata, view)


def _end(status: _JobStatus) -> End | None:
    for row in status.conditions or ():
        if row.status == "True" and row.type in ("Complete", "Failed"):
            well = row.type == "Complete"
            at = status.completion_time if well else row.last_transition_time
            return End(well, row.reason, row.message, at)
    return None


def _pod(wire: _Pod) -> Seen:
    meta, status = wire.metadata, wire.status
    ready, unscheduled = False, None
    for row in status.conditions or ():
        if row.type == "Ready":
            ready = row.status == "True"
        elif row.type == "PodScheduled" and row.status == "False":
            unscheduled = row
    view = PodView(
        *_identity(meta),
        phase=_PHASES.get(status.phase, PodPhase.UNKNOWN),
        ready=ready,
        deleting=meta.deletion_timestamp is not None,
        reason=status.reason,
        message=status.message,
        node=wire.spec.node_name,
        index=_index(meta.labels),
        unschedulable=(unscheduled.message or unscheduled.reason) if unscheduled else "",
        created_at=meta.creation_timestamp,
        running_since=_running_since(status),
        containers=(
            *[_container(c, init=True) for c in status.init_container_statuses or ()],
            *[_container(c, init=False) for c in status.container_statuses or ()],
        ),
    )
    return _filed(meta, view)


def _running_since(status: _PodStatus) -> datetime | None:
    latest = None
    for row in status.container_statuses or ():
        start = row.state.running.started_at if row.state.running is not None else None
        if start is not None and (latest is None or start > latest):
            latest = start
    return latest


_PHASES = {phase.value: phase for phase in PodPhase}


def _index(labels: _Labels | None) -> int | None:
    text = labels.replica_index if labels else ""
    return int(text) if text.isascii() and text.isdigit() else None


def _container(wire: _ContainerStatus, *, init: bool) -> ContainerView:
    """Return the view of a container; while it waits to start anew, its last end is told."""
    state = wire.state
    waiting, ended = state.waiting, state.terminated or wire.last_state.terminated
    if state.running is not None:
        ended = None
    return ContainerView(
        name=wire.name,
        init=init,
        waiting_reason=waiting.reason if waiting else "",
        waiting_message=waiting.message if waiting else "",
        running=state.running is not None,
        exit_code=ended.exit_code if ended else None,
        ended_reason=ended.reason if ended else "",
        ended_message=ended.message if ended else "",
        ended_at=ended.finished_at if ended else None,
        restart_count=wire.restart_count,
    )


def _role_binding(wire: _RoleBinding) -> Seen:
    accounts = tuple(subject.name for subject in wire.subjects or ())
    return _filed(wire.metadata, RoleBindingView(*_identity(wire.metadata), accounts))


def _pod_group(wire: _PodGroup) -> Seen:
    return _filed(wire.metadata, PodGroupView(*_identity(wire.metadata), wire.spec))


def _account(wire: _Account) -> Seen:
    return _filed(wire.metadata, Child(*_identity(wire.metadata)))


def _role(wire: _Role) -> Seen:
    return _filed(wire.metadata, RoleView(*_identity(wire.metadata), tuple(wire.rules or ())))


def _priority_class(wire: _PriorityClass) -> Seen:
    return _filed(wire.metadata, wire.value)


#: How each kind is read: its shape on the wire, and what is made of it.
_READERS: Mapping[Kind, tuple[type[Any], Callable[[Any], Seen]]] = {
    Kind.SERVICE: (_Service, _service),
    Kind.CONFIG_MAP: (_ConfigMap, _config),
    Kind.SECRET: (_Secret, _secret),
    Kind.JOB: (_Job, _job),
    Kind.POD: (_Pod, _pod),
    Kind.POD_GROUP: (_PodGroup, _pod_group),
    Kind.SERVICE_ACCOUNT: (_Account, _account),
    Kind.ROLE: (_Role, _role),
    Kind.ROLE_BINDING: (_RoleBinding, _role_binding),
    Kind.PRIORITY_CLASS: (_PriorityClass, _priority_class),
}
