"""Gang scheduling: how many pods must start together, what they need, and how they are marked."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, assert_never

from msgspec import Struct, field

from mpijob.core import names, quantity
from mpijob.core.config import Config, Gang
from mpijob.core.job import LauncherStart, Manifest, MPIJob, Replica, SchedulingPolicy
from mpijob.core.quantity import Quantity

VOLCANO_QUEUE = "scheduling.volcano.sh/queue-name"
VOLCANO_GROUP = "scheduling.k8s.io/group-name"
PLUGINS_GROUP = "scheduling.x-k8s.io/pod-group"

_FIELDS = ("minMember", "queue", "priorityClassName", "minResources", "scheduleTimeoutSeconds")


class Marks(Struct, frozen=True):
    """What a gang scheduler knows a job's pods by."""

    scheduler_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def marks(job: MPIJob, config: Config) -> Marks:
    """Return what the job's pods bear so that the gang scheduler takes them as one gang.

    Source: `decoratePodTemplateSpec`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).
    """
    group = names.pod_group(job.name)
    match config.gang:
        case None:
            return Marks()
        case Gang.VOLCANO:
            scheduler = config.scheduler_name or "volcano"
            return Marks(scheduler, annotations={VOLCANO_GROUP: group})
        case Gang.SCHEDULER_PLUGINS:
            return Marks(config.scheduler_name, labels={PLUGINS_GROUP: group})
        case _:
            assert_never(config.gang)


def min_member(job: MPIJob) -> int:
    """Return how many pods must be able to start together.

    A launcher that is only made once the workers are ready is no part of the gang: the scheduler
    would hold back the workers until it came, and it would not come before they ran. More pods
    than the job has, as after a scale-down, nobody can wait for either.

    Source: `calculateMinAvailable`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).
    """
    wished = _policy(job).min_available
    at_most = job.worker_count if _launcher_comes_later(job) else job.worker_count + 1
    return max(0, at_most if wished is None else min(wished, at_most))


def priority_class(job: MPIJob) -> str:
    """Return the gang's PriorityClass: the job's own, else its launcher's, else its workers'.

    Source: `calculatePriorityClassName`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).
    """
    templates = (job.launcher, job.worker)
    wishes = (_priority_class(replica) for replica in templates if replica)
    return _policy(job).priority_class or next(filter(None, wishes), "")


def spec(job: MPIJob, scheduler: Gang, priorities: Mapping[str, int]) -> Manifest:
    """Return the spec of the job's PodGroup, in the words of that scheduler.

    Fields of which the job says nothing are left out, for the scheduler to fill in.
    """
    found: dict[str, Any] = {"minMember": min_member(job)}
    policy = _policy(job)
    match scheduler:
        case Gang.VOLCANO:
            annotated = job.identity.annotations.get(VOLCANO_QUEUE, "")
            if queue := policy.queue or annotated:
                found["queue"] = queue
            if name := priority_class(job):
                found["priorityClassName"] = name
        case Gang.SCHEDULER_PLUGINS:
            # Its definition knows no gang of nobody: one pod alone waits for none either.
            found["minMember"] = max(1, found["minMember"])
            found["scheduleTimeoutSeconds"] = policy.schedule_timeout_s or 0
        case _:
            assert_never(scheduler)
    if resources := min_resources(job, priorities):
        found["minResources"] = resources
    return found


def min_resources(job: MPIJob, priorities: Mapping[str, int]) -> Manifest:
    """Return what the gang needs to start: what the job says, else what its pods request.

    The gang is the `min_member` pods that are scheduled first: those of higher priority, and
    among equals the launcher before the workers. mpi-operator sets the wrong role aside where
    workers outrank the launcher.

    Args:
        job: The job.
        priorities: The values of the PriorityClasses that the templates name; one that is not
            known counts as 0.

    Returns:
        Quantities by resource; empty where nothing is requested.

    Source: `calPGMinResource`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).

    """
    explicit = _policy(job).min_resources
    if explicit is not None:
        return explicit
    total: dict[str, Quantity] = {}
    left = min_member(job)
    for replica, count in _in_order(job, priorities):
        taken = min(left, count)
        left -= taken
        if not taken:
            continue
        for name, amount in pod_requests(replica.template).items():
            needed = amount * taken if taken > 1 else amount
            total[name] = total[name] + needed if name in total else needed
    return {name: str(amount) for name, amount in total.items()}


def pod_requests(template: Manifest) -> dict[str, Quantity]:
    """Return what a pod of that template requests, as the scheduler counts it.

    Containers add up. An init container runs alone but for the sidecars before it, so the pod
    needs the larger of what either stretch needs; overhead comes on top. A limit stands for a
    request that is not there.

    Source: `PodRequests`, Kubernetes (component-helpers/resource/helpers.go).
    """
    spec = template["spec"]
    sidecars: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        requests = container_requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum((sidecars, requests))
            requests = {}
        peak = _largest(peak, _sum((sidecars, requests)))
    running = _sum((*map(container_requests, spec["containers"]), sidecars))
    return _sum((_largest(running, peak), _quantities(spec.get("overhead") or {})))


def container_requests(container: Manifest) -> dict[str, Quantity]:
    """Return what a container requests, its limits standing in for requests that are not there.

    Source: `addResources`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).
    """
    resources = container.get("resources") or {}
    return _quantities({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def correction(wanted: Manifest, seen: Manifest) -> Manifest:
    """Return the merge patch from one PodGroup spec to another, empty where there is no need.

    A queue that the job does not name is the scheduler's own affair.
    """
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        want, there = wanted.get(name), seen.get(name)
        if want == there or (want is None and name == "queue"):
            continue
        if name == "minResources" and want is not None:
            fields[name] = {**dict.fromkeys(there or {}, None), **want}
        elif want is not None or there:
            fields[name] = want
    return fields


def _policy(job: MPIJob) -> SchedulingPolicy:
    return job.run_policy.scheduling or SchedulingPolicy()


def _launcher_comes_later(job: MPIJob) -> bool:
    """Say whether the workers must run before there is a launcher's pod at all."""
    return job.launcher_start is LauncherStart.WHEN_WORKERS_READY and job.worker_count > 0


def _in_order(job: MPIJob, priorities: Mapping[str, int]) -> list[tuple[Replica, int]]:
    """Return the roles with their pods' number, those that are scheduled first at the front."""
    roles = [(job.launcher, 1)]
    if job.worker:
        roles.append((job.worker, job.worker_count))
    if _launcher_comes_later(job):
        roles.reverse()
        return roles
    roles.sort(key=lambda role: -priorities.get(_priority_class(role[0]), 0))
    return roles


def _priority_class(replica: Replica) -> str:
    return replica.template["spec"].get("priorityClassName") or ""


def _quantities(texts: Mapping[str, Any]) -> dict[str, Quantity]:
    """Return the quantities that can be read; the API server refuses pods that have others."""
    found: dict[str, Quantity] = {}
    for name, text in texts.items():
        with suppress(quantity.NotAQuantity):
            found[name] = quantity.parse(text)
    return found


def _sum(requests: Iterable[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for each in requests:
        for name, amount in each.items():
            total[name] = total[name] + amount if name in total else amount
    return total


def _largest(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> dict[str, Quantity]:
    larger = dict(one)
    for name, amount in other.items():
        if name not in larger or amount.amount > larger[name].amount:
            larger[name] = amount
    return larger
