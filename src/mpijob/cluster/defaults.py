"""What a server fills in of an object that it stores.

Source: the defaulting and create strategies of Kubernetes 1.36 (pkg/apis/*/v1/defaults.go,
pkg/registry), and its admission plugins Priority, ServiceAccount and DefaultTolerationSeconds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mpijob.cluster.refusals import Forbidden
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind

JOB_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
CONTROLLER_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
GATED_MESSAGE = "Scheduling is blocked due to non-empty scheduling gates"
SYSTEM_PRIORITIES = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
POD_SPEC = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
}
CONTAINER = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
JOB_SPEC = {
    "parallelism": 1,
    "completionMode": "NonIndexed",
    "backoffLimit": 6,
    "manualSelector": False,
    "podReplacementPolicy": "TerminatingOrFailed",
    "suspend": False,
}
#: Volumes whose files have a mode, and those with nothing but a type.
VOLUME_MODES = ("secret", "configMap", "downwardAPI", "projected")
DEFAULT_MODE = 0o644
EVICTION_S = 300


def created(kind: Kind, manifest: dict[str, Any], priorities: Iterable[Manifest]) -> Manifest:
    """Return a new object as the server stores it.

    Raises:
        Forbidden: A pod names a PriorityClass that is not among `priorities`.
    """
    match kind:
        case Kind.POD:
            return _pod(manifest, priorities)
        case Kind.JOB:
            return _job(manifest)
        case Kind.SERVICE:
            return {**_service(manifest), "status": {"loadBalancer": {}}}
        case Kind.SECRET:
            return {"type": "Opaque", **manifest}
        case _:
            return manifest


def updated(kind: Kind, manifest: Manifest) -> Manifest:
    """Return a rewritten object with what the write took away filled in again."""
    match kind:
        case Kind.JOB:
            spec = {"suspend": False, "backoffLimit": 6, "parallelism": 1, **manifest["spec"]}
            template = spec["template"]
            spec["template"] = {**template, "spec": pod_spec(template["spec"])}
            return _labelled({**manifest, "spec": spec})
        case Kind.POD:
            spec = pod_spec(manifest["spec"])
            spec["tolerations"] = _tolerations(spec.get("tolerations", []))
            return {**manifest, "spec": spec}
        case Kind.SERVICE:
            return _service(manifest)
        case Kind.SECRET:
            return {"type": "Opaque", **manifest}
        case _:
            return manifest


def _service(manifest: Manifest) -> Manifest:
    spec = {"type": "ClusterIP", **manifest.get("spec", {})}
    if "ports" in spec:
        spec["ports"] = [
            {"protocol": "TCP", "targetPort": port["port"], **port} for port in spec["ports"]
        ]
    return {**manifest, "spec": spec}


def _job(manifest: Manifest) -> Manifest:
    metadata, spec = dict(manifest["metadata"]), {**JOB_SPEC, **manifest["spec"]}
    # As many completions as there are pods, where somebody says how many that is: none are asked.
    if manifest["spec"].get("parallelism") is None:
        spec.setdefault("completions", 1)
    template = spec["template"]
    if not spec["manualSelector"]:
        identity = dict.fromkeys(JOB_NAME_LABELS, metadata["name"])
        identity |= dict.fromkeys(CONTROLLER_UID_LABELS, metadata["uid"])
        of_template = template.get("metadata", {})
        labels = {**identity, **of_template.get("labels", {})}
        template = {**template, "metadata": {**of_template, "labels": labels}}
        spec["selector"] = {"matchLabels": {CONTROLLER_UID_LABELS[0]: metadata["uid"]}}
    spec["template"] = {**template, "spec": pod_spec(template["spec"])}
    return _labelled({**manifest, "metadata": metadata, "spec": spec, "status": {}})


def _labelled(job: Manifest) -> Manifest:
    """Return a Job that has labels: where it has none of its own, its pods', the server's too."""
    labels = job["spec"]["template"].get("metadata", {}).get("labels")
    if job["metadata"].get("labels") or not labels:
        return job
    return {**job, "metadata": {**job["metadata"], "labels": labels}}


def pod_spec(spec: Manifest) -> dict[str, Any]:
    """Return a pod's spec with the defaults that hold in templates and pods alike."""
    new: dict[str, Any] = {**POD_SPEC, **spec}
    for name in ("containers", "initContainers"):
        if name in spec:
            new[name] = [_container(container) for container in spec[name]]
    if "volumes" in spec:
        new["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    return new


def _container(container: Manifest) -> Manifest:
    new: dict[str, Any] = {**CONTAINER, "imagePullPolicy": _pull_policy(container), **container}
    if "env" in container:
        new["env"] = [_variable(variable) for variable in container["env"]]
    if "ports" in container:
        new["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            new[name] = {**PROBE, **container[name]}
    return new


def _pull_policy(container: Manifest) -> str:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def _variable(variable: Manifest) -> Manifest:
    if variable.get("value") == "":
        return {name: value for name, value in variable.items() if name != "value"}
    source = variable.get("valueFrom", {})
    if "fieldRef" in source:
        field = {"apiVersion": "v1", **source["fieldRef"]}
        return {**variable, "valueFrom": {**source, "fieldRef": field}}
    return variable


def _volume(volume: Manifest) -> Manifest:
    for name in VOLUME_MODES:
        if name in volume:
            return {**volume, name: {"defaultMode": DEFAULT_MODE, **(volume[name] or {})}}
    if "hostPath" in volume:
        return {**volume, "hostPath": {"type": "", **volume["hostPath"]}}
    return volume if len(volume) > 1 else {**volume, "emptyDir": {}}


def _pod(manifest: Manifest, priorities: Iterable[Manifest]) -> Manifest:
    spec = pod_spec(manifest["spec"])
    spec.setdefault("enableServiceLinks", True)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec["tolerations"] = _tolerations(spec.get("tolerations", []))
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [_with_requests(container) for container in spec[name]]
    spec |= _priority(manifest, priorities)
    status: dict[str, Any] = {"phase": "Pending", "qosClass": _quality(spec)}
    if spec.get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": GATED_MESSAGE,
                "lastTransitionTime": manifest["metadata"]["creationTimestamp"],
            }
        ]
    return {**manifest, "spec": spec, "status": status}


def _with_requests(container: Manifest) -> Manifest:
    """Return a container that requests what it is limited to, where it does not say otherwise."""
    resources = container["resources"]
    if "limits" not in resources:
        return container
    requests = {**resources["limits"], **resources.get("requests", {})}
    return {**container, "resources": {**resources, "requests": requests}}


def _tolerations(given: list[Manifest]) -> list[Manifest]:
    """Return tolerations that let a pod stay for a while on a node that has gone quiet."""
    rows = list(given)
    for condition in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{condition}"
        if any(row.get("key") in (key, None) and _no_execute(row) for row in given):
            continue
        rows.append(
            {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": EVICTION_S,
            }
        )
    return rows


def _no_execute(toleration: Manifest) -> bool:
    return toleration.get("effect") in ("NoExecute", None, "")


def _priority(manifest: Manifest, priorities: Iterable[Manifest]) -> dict[str, Any]:
    name = manifest["spec"].get("priorityClassName", "")
    known = {row["metadata"]["name"]: row for row in priorities}
    if not name:
        shared = [row for row in known.values() if row.get("globalDefault")]
        if not shared:
            return {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"}
        name = min(shared, key=lambda row: int(row["value"]))["metadata"]["name"]
    if name in SYSTEM_PRIORITIES:
        value, policy = SYSTEM_PRIORITIES[name], "PreemptLowerPriority"
    elif name in known:
        value = known[name]["value"]
        policy = known[name].get("preemptionPolicy", "PreemptLowerPriority")
    else:
        pod = manifest["metadata"]["name"]
        raise Forbidden(f'pods "{pod}" is forbidden: no PriorityClass with name {name} was found')
    return {"priorityClassName": name, "priority": value, "preemptionPolicy": policy}


def _quality(spec: Manifest) -> str:
    """Return the pod's quality of service: how soon it has to go when memory runs out."""
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    asked = [container["resources"] for container in containers]
    if not any(row.get("requests") or row.get("limits") for row in asked):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(row) for row in asked) else "Burstable"


def _is_guaranteed(resources: Mapping[str, Any]) -> bool:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    return all(name in limits and requests.get(name) == limits[name] for name in ("cpu", "memory"))
