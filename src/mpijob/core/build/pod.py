"""What launcher and workers have in common: a pod template, and what is added to it."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from mpijob.core import names
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob, Replica, Role
from mpijob.core.policy import gang, mesh
from mpijob.core.transport.parts import Parts, Preparation


class PodPlan(Struct, frozen=True):
    """What becomes of a replica's template.

    Args:
        role: The pod's role.
        hostname: Also its DNS name's first part.
        labels: Beside the template's and the role's.
        env: Added to the first container's, as far as it has no variable so named.
        parts: What the transport adds.
        volumes: Beside the template's and the transport's.
        mounts: Into the first container, likewise.
        own_mounts: Into the first container, and not into the preparation.

    """

    role: Role
    hostname: str
    parts: Parts
    env: Mapping[str, str]
    labels: Mapping[str, str]
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    own_mounts: tuple[Manifest, ...] = ()


def pod_metadata(job: MPIJob, replica: Replica, plan: PodPlan, config: Config) -> Manifest:
    """Return a pod's labels and annotations: the template's, and over them those of the job."""
    template = replica.template.get("metadata") or {}
    marks, alone = gang.marks(job, config), mesh.marks(job, template, config)
    given = template.get("annotations") or {}
    annotations = {**given, **alone.annotations, **marks.annotations}
    found: dict[str, object] = {
        "labels": {
            **(template.get("labels") or {}),
            **names.pod_labels(job, plan.role),
            **plan.labels,
            **alone.labels,
            **marks.labels,
        }
    }
    return found | {"annotations": annotations} if annotations else found


def pod_spec(job: MPIJob, replica: Replica, plan: PodPlan, config: Config) -> Manifest:
    """Return the spec of a pod of `job`.

    Only the template's first container is changed; what is not named here passes through.

    Source: `newWorker` and `newLauncherPodTemplate`, mpi-operator v0.8.2
    (pkg/controller/mpi_job_controller.go).
    """
    spec = dict(replica.template["spec"])
    shared, own = _containers(spec["containers"][0], plan)
    spec["containers"] = [own, *spec["containers"][1:]]
    prepared = (*plan.parts.init_containers,)
    if plan.parts.preparation:
        prepared = (*prepared, _preparation(plan.parts.preparation, shared, spec))
    if prepared:
        spec["initContainers"] = [*(spec.get("initContainers") or ()), *prepared]
    if plan.parts.service_account:
        spec["serviceAccountName"] = spec.get("serviceAccountName") or plan.parts.service_account
        spec["automountServiceAccountToken"] = True
    spec["volumes"] = [*(spec.get("volumes") or ()), *plan.parts.volumes, *plan.volumes]
    spec["hostname"] = plan.hostname
    spec["subdomain"] = names.service(job.name)
    spec["restartPolicy"] = replica.restart_policy.value
    spec["dnsConfig"] = _dns_config(job, spec.get("dnsConfig") or {}, config)
    if spec.get("hostNetwork"):
        spec["dnsPolicy"] = "ClusterFirstWithHostNet"
        if plan.parts.port is not None:
            own |= _declared(spec["containers"], plan.parts.port)
    marks = gang.marks(job, config)
    if marks.scheduler_name:
        spec["schedulerName"] = marks.scheduler_name
    return spec


def _containers(container: Manifest, plan: PodPlan) -> tuple[Manifest, dict[str, object]]:
    """Return the first container as its init container shares it, and as it is itself."""
    parts = plan.parts
    shared = dict(container)
    shared["env"] = [*(container.get("env") or ()), *_added(container, plan)]
    shared["volumeMounts"] = [
        *(container.get("volumeMounts") or ()),
        *parts.mounts,
        *plan.mounts,
    ]
    own = dict(shared)
    own.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    if parts.command and not container.get("command") and not container.get("args"):
        own["command"] = list(parts.command)
    taken = {mount.get("mountPath") for mount in shared["volumeMounts"]}
    added = (*parts.own_mounts, *plan.own_mounts)
    free = [mount for mount in added if mount["mountPath"] not in taken]
    own["volumeMounts"] = [*shared["volumeMounts"], *free]
    return shared, own


def _added(container: Manifest, plan: PodPlan) -> Iterable[Manifest]:
    """Return our variables, but for those that the user has given a value."""
    given = {entry.get("name") for entry in container.get("env") or ()}
    return ({"name": n, "value": v} for n, v in plan.env.items() if n not in given)


def _declared(containers: Sequence[Manifest], port: int) -> Manifest:
    """Return the first container's ports with one more; nothing where a container has it already.

    The scheduler goes by the host's port, which on a node's network is the container's own.
    """
    given = [row for each in containers for row in each.get("ports") or ()]
    if any(row.get("containerPort") == port for row in given):
        return {}
    new = {"containerPort": port, "hostPort": port, "protocol": "TCP"}
    return {"ports": [*(containers[0].get("ports") or ()), new]}


def _preparation(preparation: Preparation, shared: Manifest, spec: Manifest) -> Manifest:
    """Return the init container: as much of the first container as tells how to run."""
    kept = ("image", "imagePullPolicy", "securityContext", "resources", "env", "envFrom")
    others = [*spec["containers"], *(spec.get("initContainers") or ())]
    taken = {container.get("name") for container in others}
    return {
        "name": _free(preparation.name, taken),
        "command": list(preparation.command),
        **{key: shared[key] for key in kept if key in shared},
        "volumeMounts": [*shared["volumeMounts"], *preparation.mounts],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _free(name: str, taken: set[str]) -> str:
    """Return `name`, or `name-2`, `name-3`, … where it is taken."""
    number, free = 1, name
    while free in taken:
        number, free = number + 1, f"{name}-{number + 1}"
    return free


def _dns_config(job: MPIJob, given: Manifest, config: Config) -> Manifest:
    """Return the DNS set-up by which the job's pods know each other by their short names."""
    domain = names.search_domain(job, config.cluster_domain)
    return {**given, "searches": [*(given.get("searches") or ()), domain]}
