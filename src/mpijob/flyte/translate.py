"""A task's template to the MPIJob that Flyte's backend makes of it, by the same rules.

Flyte has a plugin in Go for tasks of type `mpi`. What it makes is made here from the same facts, as
a pure value, so that a Flyte without that plugin can run MPI through a connector, and so that a
test can hold what Flyte sends us against what we run.

Source: `BuildResource`, flyteplugins (go/tasks/plugins/k8s/kfoperators/mpi/mpi.go), and what it
calls in …/kfoperators/common and …/pluginmachinery/flytek8s.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from mpijob.api.template import check_template
from mpijob.core.draft import LAUNCHER, WORKER
from mpijob.core.job import Manifest
from mpijob.core.quantity import NotAQuantity
from mpijob.core.version import Version
from mpijob.flyte.resources import Requirements, completed, requirements
from mpijob.flyte.template import (
    AcceleratorWire,
    BadTaskSpecification,
    Execution,
    Paths,
    Platform,
    ResourcesWire,
    TemplateWire,
    payload,
)

#: What the backend calls the container that runs the task, whatever it was called before.
CONTAINER = "mpi"
#: In a template's `config`: which container of a pod template runs the task.
PRIMARY_CONTAINER = "primary_container_name"
#: In the `config` of a template of version 0: what workers run, its words divided by spaces.
WORKER_COMMAND = "worker_spec_command"

_RESTARTS = ("Never", "OnFailure", "Always")
_RESTART_NAMES = ("RESTART_POLICY_NEVER", "RESTART_POLICY_ON_FAILURE", "RESTART_POLICY_ALWAYS")
_CLEANS = ("None", "Running", "All")
_CLEAN_NAMES = ("CLEANPOD_POLICY_NONE", "CLEANPOD_POLICY_RUNNING", "CLEANPOD_POLICY_ALL")

_PLATFORM = Platform()


class CommonWire(Struct, rename="camel"):
    """`CommonReplicaSpec`: what the fields of a role say, for all of Kubeflow's kinds of jobs."""

    replicas: int = 0
    image: str = ""
    resources: ResourcesWire | None = None
    restart_policy: str | int = 0


class RoleWire(CommonWire, rename="camel"):
    """`DistributedMPITrainingReplicaSpec`: one role. `common` counts, where it is there."""

    command: list[str] = field(default_factory=list)
    common: CommonWire | None = None


class RunPolicyWire(Struct, rename="camel"):
    """`RunPolicy`; zero is unsaid."""

    clean_pod_policy: str | int = 0
    ttl_seconds_after_finished: int = 0
    active_deadline_seconds: int = 0
    backoff_limit: int = 0


class TaskWire(Struct, rename="camel"):
    """`DistributedMPITrainingTask` of flyteidl.plugins.kubeflow: the payload of version 1."""

    worker_replicas: RoleWire = field(default_factory=RoleWire)
    launcher_replicas: RoleWire = field(default_factory=RoleWire)
    run_policy: RunPolicyWire | None = None
    slots: int = 0


class FirstTaskWire(Struct, rename="camel"):
    """`DistributedMPITrainingTask` of flyteidl.plugins: the payload of version 0."""

    num_workers: int = 0
    num_launcher_replicas: int = 0
    slots: int = 0


def job(template: TemplateWire, execution: Execution, platform: Platform = _PLATFORM) -> Manifest:
    """Return the v1 MPIJob of one execution of a task.

    In version 1 the slots of the task are not looked at, as the backend does not: the job says 1,
    and the operator goes by the command line.

    Raises:
        BadTaskSpecification: there is no job for such a task; the message is the backend's.

    """
    slots, run_policy = 1, {}
    match template.task_type_version:
        case 0:
            first = payload(template.custom, FirstTaskWire)
            slots = first.slots
            roles = _first_roles(template, execution, platform, first)
        case 1:
            task = payload(template.custom, TaskWire)
            run_policy = _run_policy(task.run_policy)
            roles = {
                LAUNCHER: {**_role(template, execution, platform, task.launcher_replicas)}
                | {"replicas": 1},
                WORKER: _role(template, execution, platform, task.worker_replicas),
            }
        case version:
            raise BadTaskSpecification(
                f"Invalid TaskSpecification, unsupported task template version [{version}] key"
            )
    if roles[WORKER]["replicas"] <= 0:
        raise BadTaskSpecification("number of workers must be greater than 0")
    metadata: dict[str, Any] = {
        "name": execution.name,
        "namespace": execution.namespace,
        "labels": dict(execution.labels),
        "annotations": dict(execution.annotations),
    }
    if execution.owner is not None:
        metadata["ownerReferences"] = [execution.owner]
    return {
        "apiVersion": Version.V1.api_version,
        "kind": "MPIJob",
        "metadata": metadata,
        "spec": {"slotsPerWorker": slots, "runPolicy": run_policy, "mpiReplicaSpecs": roles},
    }


# Roles.


def _first_roles(
    template: TemplateWire, execution: Execution, platform: Platform, first: FirstTaskWire
) -> dict[str, Any]:
    """Return the roles of version 0: two of the same, but that workers run nothing of the task."""
    launcher = _pod(template, execution, platform, Requirements())
    worker = _pod(template, execution, platform, Requirements())
    command = template.config.get(WORKER_COMMAND)
    for container in worker["spec"]["containers"]:
        if container["name"] == CONTAINER:
            container.pop("command", None)
            container.pop("args", None)
            if command is not None:
                container["args"] = command.split(" ")
    return {
        LAUNCHER: _replicas(max(first.num_launcher_replicas, 1), launcher, _RESTARTS[0]),
        WORKER: _replicas(first.num_workers, worker, _RESTARTS[0]),
    }


def _role(
    template: TemplateWire, execution: Execution, platform: Platform, role: RoleWire
) -> dict[str, Any]:
    """Return a role of version 1: the task's pod, but for what the role says in its own words.

    A role's command becomes the arguments of its container.
    """
    said = role.common or role
    pod = _pod(template, execution, platform, requirements(said.resources, platform))
    for container in pod["spec"]["containers"]:
        if container["name"] == CONTAINER:
            if said.image:
                container["image"] = said.image
            if role.command:
                container["args"] = list(role.command)
    restart = _meant(said.restart_policy, _RESTART_NAMES, _RESTARTS)
    return _replicas(said.replicas, pod, restart)


def _replicas(count: int, pod: Manifest, restart: str) -> dict[str, Any]:
    return {"replicas": count, "template": pod, "restartPolicy": restart}


def _run_policy(wire: RunPolicyWire | None) -> dict[str, Any]:
    if wire is None:
        return {}
    said = {
        "cleanPodPolicy": _meant(wire.clean_pod_policy, _CLEAN_NAMES, _CLEANS),
        "ttlSecondsAfterFinished": wire.ttl_seconds_after_finished,
        "activeDeadlineSeconds": wire.active_deadline_seconds,
        "backoffLimit": wire.backoff_limit,
    }
    return {name: value for name, value in said.items() if value}


def _meant(value: str | int, names: Sequence[str], words: Sequence[str]) -> str:
    """Return Kubernetes' word for an enum's value, given by its name or its number."""
    number = names.index(value) if value in names else value
    if not isinstance(number, int) or not 0 <= number < len(words):
        told = f"invalid TaskSpecification, Err: [unknown value {value!r}: one of {names}]"
        raise BadTaskSpecification(told)
    return words[number]


# The pod.


def _pod(
    template: TemplateWire, execution: Execution, platform: Platform, override: Requirements
) -> dict[str, Any]:
    """Return the pod template of one role, its container called as MPI jobs have it."""
    pod, labels, annotations, primary = _raw_pod(template, platform)
    if primary not in [container.get("name") for container in pod["containers"]]:
        told = f"invalid TaskSpecification, primary container [{primary}] not defined"
        raise BadTaskSpecification(told)
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        _customize(container, execution)
    for container in pod["containers"]:
        if container.get("name") == primary:
            said = container.get("resources") or {}
            try:
                found = completed(_own(said).under(override), platform)
            except NotAQuantity as error:
                told = f"invalid TaskSpecification on Resources: {error}"
                raise BadTaskSpecification(told) from None
            amounts = {"requests": found.requests, "limits": found.limits}
            container["resources"] = {**said, **amounts}
            container["name"] = CONTAINER
            break
    pod.setdefault("restartPolicy", "Never")
    if execution.service_account:
        pod.setdefault("serviceAccountName", execution.service_account)
    pod.setdefault("affinity", {})
    extended = template.extended_resources
    if extended is not None and extended.gpu_accelerator is not None:
        _place(pod, extended.gpu_accelerator, platform)
    metadata = {
        "labels": {**labels, **execution.labels},
        "annotations": {**annotations, **execution.annotations},
    }
    return {"metadata": metadata, "spec": pod}


class _Amounts(Struct):
    """What a container of a pod template asks for; amounts may be numbers."""

    requests: dict[str, str | int | float] = field(default_factory=dict)
    limits: dict[str, str | int | float] = field(default_factory=dict)


def _own(resources: Manifest) -> Requirements:
    """Return what a container asks for itself. Raises BadTaskSpecification."""
    said = payload(resources, _Amounts)
    requests, limits = (
        {name: str(amount) for name, amount in amounts.items()}
        for amounts in (said.requests, said.limits)
    )
    return Requirements(requests, limits)


def _raw_pod(
    template: TemplateWire, platform: Platform
) -> tuple[dict[str, Any], Mapping[str, str], Mapping[str, str], str]:
    """Return the pod as the task says it, its labels and annotations, and whose turn it is."""
    if template.metadata.pod_template_name:
        raise BadTaskSpecification(
            f"PodTemplate '{template.metadata.pod_template_name}' cannot be merged: it is an object"
            " of the cluster, which Flyte's own backend alone looks up; use `pod_template`"
        )
    if template.container is not None:
        wire = template.container
        asked = requirements(wire.resources, platform)
        container = {
            "name": "primary",
            "image": wire.image,
            "command": list(wire.command),
            "args": list(wire.args),
            "env": [{"name": pair.key, "value": pair.value} for pair in wire.env],
            "resources": {"requests": asked.requests, "limits": asked.limits},
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
        return {"containers": [container]}, {}, {}, "primary"
    if template.k8s_pod is None:
        told = "invalid TaskSpecification, unable to determine Pod configuration"
        raise BadTaskSpecification(told)
    spec = template.k8s_pod.pod_spec
    if spec is None:
        raise BadTaskSpecification(
            "Pod tasks with task type version > 1 should specify their target as a K8sPod with a "
            "defined pod spec"
        )
    if PRIMARY_CONTAINER not in template.config:
        told = (
            f"invalid TaskSpecification, config missing [{PRIMARY_CONTAINER}] key in "
            f"[{template.config}]"
        )
        raise BadTaskSpecification(told)
    try:
        check_template({"spec": spec})
    except msgspec.ValidationError as error:
        raise BadTaskSpecification(
            f"Unable to unmarshal task k8s pod [{spec}], Err: [{error}]"
        ) from None
    copied = {**spec, **{name: _copies(spec, name) for name in ("containers", "initContainers")}}
    pod = {name: value for name, value in copied.items() if value or name == "containers"}
    said = template.k8s_pod.metadata
    return pod, said.labels, said.annotations, template.config[PRIMARY_CONTAINER]


def _copies(spec: Manifest, name: str) -> list[dict[str, Any]]:
    return [dict(container) for container in spec.get(name) or ()]


def _customize(container: dict[str, Any], execution: Execution) -> None:
    """Fill in a container's placeholders, and give it what every container of a task has."""
    for name in ("command", "args"):
        words = [_rendered(word, execution.paths) for word in container.pop(name, None) or ()]
        if words:
            container[name] = words
    container["env"] = [*(container.get("env") or ()), *_variables(execution)]


def _variables(execution: Execution) -> Iterator[Manifest]:
    """Yield the variables by which a task knows where it is executed.

    Source: `GetExecutionEnvVars`, flyteplugins (…/flytek8s/k8s_resource_adds.go).
    """
    if execution.id is not None:
        name, project, domain = execution.id
        yield _variable("FLYTE_INTERNAL_EXECUTION_ID", name)
        yield _variable("FLYTE_INTERNAL_EXECUTION_PROJECT", project)
        yield _variable("FLYTE_INTERNAL_EXECUTION_DOMAIN", domain)
        yield _variable("FLYTE_ATTEMPT_NUMBER", str(execution.attempt))
        if execution.task is not None:
            for key, value in zip(_TASK_KEYS, execution.task, strict=True):
                yield _variable(f"FLYTE_INTERNAL_TASK_{key}", value)
    for name, value in execution.environment.items():
        yield _variable(name, value)


_TASK_KEYS = ("PROJECT", "DOMAIN", "NAME", "VERSION")


def _variable(name: str, value: str) -> Manifest:
    return {"name": name, "value": value}


_PLACEHOLDERS = {
    "input": "input",
    "inputprefix": "input_prefix",
    "outputprefix": "output_prefix",
    "rawoutputdataprefix": "raw_output_prefix",
    "checkpointoutputprefix": "checkpoint_prefix",
    "prevcheckpointprefix": "previous_checkpoint_prefix",
}
_PLACEHOLDER = re.compile(r"{{\s*[.$](\w+)\s*}}")


def _rendered(word: str, paths: Paths | None) -> str:
    """Return a word with the placeholders that are known filled in, in whatever case they are."""
    if paths is None:
        return word

    def told(match: re.Match[str]) -> str:
        name = _PLACEHOLDERS.get(match[1].lower())
        return match[0] if name is None else str(getattr(paths, name))

    return _PLACEHOLDER.sub(told, word)


def _place(pod: dict[str, Any], meant: AcceleratorWire, platform: Platform) -> None:
    """Let a pod with GPUs go where those are that are meant.

    Source: `ApplyGPUNodeSelectors`, flyteplugins (…/flytek8s/pod_helper.go).
    """
    limits = [container.get("resources", {}).get("limits", {}) for container in pod["containers"]]
    if not any(platform.gpu_resource in limit for limit in limits):
        return
    rows, taints = [], []
    if meant.device:
        rows.append(_row(platform.gpu_device_label, meant.device))
        taints.append(_taint(platform.gpu_device_label, meant.device))
    if meant.partition_size is not None:
        rows.append(_row(platform.gpu_partition_label, meant.partition_size))
        taints.append(_taint(platform.gpu_partition_label, meant.partition_size))
    elif meant.unpartitioned:
        rows.append({"key": platform.gpu_partition_label, "operator": "DoesNotExist"})
    if taints:
        pod["tolerations"] = [*pod.get("tolerations", ()), *taints]
    if rows:
        pod["affinity"] = _required(pod["affinity"], rows)


def _required(affinity: Manifest, rows: Sequence[Manifest]) -> Manifest:
    """Return an affinity whose every term of nodes asks for these, too."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    nodes = affinity.get("nodeAffinity") or {}
    terms = (nodes.get(key) or {}).get("nodeSelectorTerms") or [{}]
    more = [
        {**term, "matchExpressions": [*term.get("matchExpressions", ()), *rows]} for term in terms
    ]
    required = {**(nodes.get(key) or {}), "nodeSelectorTerms": more}
    return {**affinity, "nodeAffinity": {**nodes, key: required}}


def _row(key: str, value: str) -> Manifest:
    return {"key": key, "operator": "In", "values": [value]}


def _taint(key: str, value: str) -> Manifest:
    return {"key": key, "value": value, "operator": "Equal", "effect": "NoSchedule"}
