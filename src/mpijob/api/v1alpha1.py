"""kubeflow.org/v1alpha1: what its spec means, as mpi-operator v0.1 and v0.2 read it.

A job is one pod template, and says how many processing units it wants in all, or how many workers.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mpijob.api.status import StatusWire, status_of
from mpijob.api.wire import SpecWire
from mpijob.core.allocation import GPU, Allocation, UnitDefaults, allocate, resource_of
from mpijob.core.draft import LAUNCHER, WORKER, Draft, ReplicaDraft
from mpijob.core.job import CleanPodPolicy, Identity, Manifest, Problem
from mpijob.core.quantity import NotAQuantity, parse
from mpijob.core.status import Condition, ConditionType, JobStatus
from mpijob.core.validate import FORBIDDEN, INVALID, invalid, required

#: The labels of nodes for the control plane, today's and that of this version's time.
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

_BOTH = "Cannot specify both GPUs and ProcessingUnits at the same time"
_SOME = (1, 2, 4)
_MANY = 8
_NONE_YET = Allocation(1, 0)


class _Units(NamedTuple):
    """So many units of a resource in all, by the field that says so, and so many a node."""

    field: str
    total: int
    per_node: int
    resource: str


def draft(spec: SpecWire, identity: Identity, status: JobStatus, units: UnitDefaults) -> Draft:
    """Return the draft of a job that was written in v1alpha1.

    Its workers idle, whatever the template's command: that is the launcher's. They go when the job
    is done, as a StatefulSet of none.
    """
    problems = list(_choice_problems(spec))
    wanted = _wanted(spec, units)
    resource = wanted.resource if wanted else resource_of(_type(spec, units))
    if wanted is None:
        shares = Allocation(_count(spec), _limit(spec.template, resource))
    else:
        found = _allocation(wanted)
        shares = _NONE_YET if isinstance(found, Problem) else found
        problems += [found] if isinstance(found, Problem) else []
    launcher, worker = _launcher(spec), _worker(spec.template or {}, resource, shares.units)
    policy = ((spec.template or {}).get("spec") or {}).get("restartPolicy")
    return Draft(
        identity=identity,
        replicas={
            LAUNCHER: ReplicaDraft(1, policy, launcher),
            WORKER: ReplicaDraft(shares.workers, None, worker),
        },
        slots_per_worker=spec.slots_per_worker or max(shares.units, 1),
        clean_pods=CleanPodPolicy.ALL.value,
        active_deadline_s=spec.active_deadline_seconds,
        backoff_limit=spec.backoff_limit,
        status=status,
        problems=tuple(problems),
    )


def job_status(wire: StatusWire) -> JobStatus:
    """Return what a status says; mpi-operator's of this version knew of no conditions.

    An end that it told is an end: such a job is not run again.
    """
    status = status_of(wire)
    ends = {"Succeeded": ConditionType.SUCCEEDED, "Failed": ConditionType.FAILED}
    type_, at = ends.get(wire.launcher or ""), status.completed_at or status.started_at
    if status.conditions or type_ is None or at is None:
        return status
    return status.with_condition(Condition(type_, True, f"MPIJob{type_.value}", "", at, at))


def encoded(status: JobStatus) -> Manifest:
    """Return the fields of a status that this version alone has."""
    launcher, worker = status.launcher, status.worker
    ended = status.naming_condition if status.finished else None
    active = "Active" if launcher is not None and launcher.active else None
    return {
        "launcherStatus": ended.value if ended else active,
        "workerReplicas": (worker.active if worker else 0) or None,
    }


def _choice_problems(spec: SpecWire) -> list[Problem]:
    """Return what is wrong with which of the three ways to ask for workers were taken."""
    asked = {
        "gpus": spec.gpus,
        "processingUnits": spec.processing_units,
        "replicas": spec.replicas,
    }
    said = [field for field, value in asked.items() if value is not None]
    if not said:
        return [required("spec", "must have one of gpus, processingUnits and replicas")]
    if spec.gpus is not None and spec.processing_units is not None:
        return [Problem("spec.processingUnits", FORBIDDEN, _BOTH)]
    if len(said) > 1:
        detail = f"may not be set together with {said[0]}"
        return [Problem("spec.replicas", FORBIDDEN, detail)]
    return []


def _wanted(spec: SpecWire, units: UnitDefaults) -> _Units | None:
    """Return how many units are wanted in all; None for a job that says how many workers."""
    if spec.gpus is not None:
        return _Units("gpus", spec.gpus, spec.gpus_per_node or units.gpus_per_node, GPU)
    if spec.processing_units is not None:
        per_node = spec.processing_units_per_node or units.units_per_node
        resource = resource_of(_type(spec, units))
        return _Units("processingUnits", spec.processing_units, per_node, resource)
    return None


def _allocation(wanted: _Units) -> Allocation | Problem:
    """Return the workers that share the units, or why they cannot."""
    total, per_node, field = wanted.total, wanted.per_node, f"spec.{wanted.field}"
    if total not in _SOME and (total < _MANY or total % _MANY):
        return invalid(field, total, "must be 1, 2, 4 or a multiple of 8")
    if per_node < 1:
        return invalid(f"{field}PerNode", per_node, "must be greater than or equal to 1")
    word = "GPUs" if wanted.field == "gpus" else "processing units"
    detail = f"specified #{word} is not a multiple of {word} per node ({per_node})"
    return allocate(total, per_node) or Problem(field, INVALID, detail, str(total))


def _type(spec: SpecWire, units: UnitDefaults) -> str:
    return spec.processing_resource_type or units.resource


def _count(spec: SpecWire) -> int:
    return 1 if spec.replicas is None else spec.replicas


def _first_container(template: Manifest | None) -> Mapping[str, Any]:
    containers = ((template or {}).get("spec") or {}).get("containers") or ()
    return containers[0] if containers else {}


def _limit(template: Manifest | None, resource: str) -> int:
    """Return how many units of a resource the first container is limited to, 0 for none."""
    limits = (_first_container(template).get("resources") or {}).get("limits") or {}
    try:
        return int(parse(str(limits.get(resource, 0))).amount)
    except NotAQuantity:
        return 0


def _launcher(spec: SpecWire) -> Manifest:
    """Return the launcher's template: without resources, and where it is to be."""
    template = spec.template or {}
    pod = {**(template.get("spec") or {})}
    if pod.get("containers"):
        first, *others = pod["containers"]
        bare = {key: value for key, value in first.items() if key != "resources"}
        pod["containers"] = [bare, *others]
    if spec.launcher_on_master:
        pod |= _on_control_plane()
    return {**template, "spec": pod} if pod else template


def _on_control_plane() -> Manifest:
    """Return what places a pod among the control plane, in place of what its template says."""
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in CONTROL_PLANE]
    needed = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in CONTROL_PLANE
        ],
        "affinity": {"nodeAffinity": needed},
    }


def _worker(template: Manifest, resource: str, units: int) -> Manifest:
    """Return a worker's template: it idles, and has its share of the units."""
    pod = template.get("spec") or {}
    if not pod.get("containers"):
        return template
    first, *others = pod["containers"]
    host = {key: value for key, value in first.items() if key not in ("command", "args")}
    if units:
        resources = host.get("resources") or {}
        limits = {**(resources.get("limits") or {}), resource: units}
        host["resources"] = {**resources, "limits": limits}
    return {**template, "spec": {**pod, "containers": [host, *others]}}
