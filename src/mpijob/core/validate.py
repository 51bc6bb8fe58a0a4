"""The rules that an MPIJob must keep: every problem of a draft at once, in a fixed order.

First come mpi-operator's own rules, with its field paths, kinds and texts; then those that it
fails to check although such a job can never run. What mpi-operator runs well is never refused
here: what is merely odd is for `lint` to say.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mpijob.core import names
from mpijob.core.draft import LAUNCHER, WORKER, Draft, ReplicaDraft
from mpijob.core.job import CleanPodPolicy, Flavour, Manifest, Problem, RestartPolicy
from mpijob.core.version import Version

INVALID = "Invalid value"
REQUIRED = "Required value"
UNSUPPORTED = "Unsupported value"
DUPLICATE = "Duplicate value"

FORBIDDEN = "Forbidden"

#: The controllers that `managedBy` may name.
MANAGERS = Version.V2BETA1.ways.managers
CLEAN_POD_POLICIES = tuple(sorted(policy.value for policy in CleanPodPolicy))
FLAVOURS = tuple(sorted(flavour.value for flavour in Flavour))
RESTART_POLICIES = (RestartPolicy.NEVER.value, RestartPolicy.ON_FAILURE.value)
#: In the versions whose workers' containers may start again whatever becomes of them.
OLDER_RESTART_POLICIES = (RestartPolicy.ALWAYS.value, *RESTART_POLICIES)

#: The longest text of an Event that mpi-operator writes, in bytes.
EVENT_MESSAGE_BYTES = 1024
#: What a ConfigMap holds at most, in bytes: the hostfile has a line for every worker.
CONFIG_MAP_BYTES = 1 << 20

_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_DNS_LABEL_MAX = 63
_DNS_LABEL_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"


def problems(draft: Draft) -> tuple[Problem, ...]:
    """Return all that is wrong with `draft`; nothing where it is a job that can be run.

    Source: `ValidateMPIJob`, mpi-operator v0.8.2 (pkg/apis/kubeflow/validation/validation.go).
    """
    found = (
        *_name_problems(draft),
        *_replicas_problems(draft),
        *_slots_problems(draft),
        *_run_policy_problems(draft),
        *_ssh_and_flavour_problems(draft),
        *_further_problems(draft),
        *_v1_problems(draft),
    )
    places = _PLACES.get(draft.identity.written_in)
    if places is None:
        return found
    return (*draft.problems, *dict.fromkeys(_placed(problem, places) for problem in found))


#: Where a field of v2beta1 stands in older versions, as far as they have it elsewhere.
_PLACES: Mapping[Version, Mapping[str, str]] = {
    Version.V1ALPHA1: {
        "spec.mpiReplicaSpecs[Launcher].template": "spec.template",
        "spec.mpiReplicaSpecs[Worker].template": "spec.template",
        "spec.mpiReplicaSpecs[Worker].replicas": "spec.replicas",
        "spec.runPolicy.": "spec.",
    },
    Version.V1ALPHA2: {
        "spec.runPolicy.cleanPodPolicy": "spec.cleanPodPolicy",
    },
    Version.V1: {},
}


def _placed(problem: Problem, places: Mapping[str, str]) -> Problem:
    """Return a problem under the name that its field has in another version."""
    for here, there in places.items():
        if problem.field.startswith(here):
            return replace(problem, field=there + problem.field.removeprefix(here))
    return problem


def aggregate(found: Sequence[Problem]) -> str:
    """Return several problems as Kubernetes writes them in one line: "[a, b]", or just "a".

    Source: `ErrorList.ToAggregate`, Kubernetes v1.35 (apimachinery, util/validation/field).
    """
    texts = tuple(dict.fromkeys(str(problem) for problem in found))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def event_message(found: Sequence[Problem]) -> str:
    """Return the text of the event that tells of an invalid job, at most 1024 bytes long.

    Source: `truncateMessage`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    message = f"Found validation errors: {aggregate(found)}"
    encoded = message.encode()
    if len(encoded) <= EVENT_MESSAGE_BYTES:
        return message
    # A character that the limit would cut in two is left out whole.
    return encoded[: EVENT_MESSAGE_BYTES - 3].decode(errors="ignore") + "..."


def dns_label_faults(name: str) -> tuple[str, ...]:
    """Return what keeps `name` from being a DNS label (RFC 1035), in Kubernetes' words."""
    too_long = len(name) > _DNS_LABEL_MAX
    malformed = _DNS_LABEL.fullmatch(name) is None
    return (
        *((f"must be no more than {_DNS_LABEL_MAX} characters",) if too_long else ()),
        *((_DNS_LABEL_TEXT,) if malformed else ()),
    )


def quoted(value: str) -> str:
    """Return `value` in double quotes, as Kubernetes' messages show text."""
    return json.dumps(value, ensure_ascii=False)


def invalid(field: str, value: object, detail: str) -> Problem:
    """Return the problem of a value that breaks a rule."""
    shown = quoted(value) if isinstance(value, str) else str(value)
    return Problem(field, INVALID, detail, shown)


def required(field: str, detail: str) -> Problem:
    """Return the problem of a field that must be there."""
    return Problem(field, REQUIRED, detail)


def unsupported(field: str, value: str | None, allowed: Sequence[str]) -> Problem:
    """Return the problem of a value that is none of those `allowed`."""
    supported = ", ".join(quoted(value) for value in allowed)
    return Problem(field, UNSUPPORTED, f"supported values: {supported}", quoted(value or ""))


def _name_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with the name, of which the longest host name is made."""
    worker = (draft.replicas or {}).get(WORKER)
    count = worker.count if worker is not None and worker.count is not None else 1
    longest = names.worker(draft.identity.key.name, max(count, 1) - 1)
    if faults := dns_label_faults(longest):
        yield invalid(
            "metadata.name",
            draft.identity.key.name,
            "will not able to create pod and service with invalid DNS label "
            f"{quoted(longest)}: {', '.join(faults)}",
        )


def _replicas_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with the two roles; a job without workers is sound."""
    path = "spec.mpiReplicaSpecs"
    if draft.replicas is None:
        yield required(path, "must have replica specs")
        return
    launcher = draft.replicas.get(LAUNCHER)
    if launcher is None:
        yield required(f"{path}[{LAUNCHER}]", "must have Launcher replica spec")
    else:
        yield from _role_problems(launcher, f"{path}[{LAUNCHER}]", RESTART_POLICIES)
        if launcher.count is not None and launcher.count != 1:
            yield invalid(f"{path}[{LAUNCHER}].replicas", launcher.count, "must be 1")
    worker = draft.replicas.get(WORKER)
    if worker is not None:
        older = draft.identity.written_in is not Version.V2BETA1
        allowed = OLDER_RESTART_POLICIES if older else RESTART_POLICIES
        yield from _role_problems(worker, f"{path}[{WORKER}]", allowed)
        if worker.count is not None and worker.count <= 0:
            yield invalid(
                f"{path}[{WORKER}].replicas", worker.count, "must be greater than or equal to 1"
            )


def _role_problems(
    replica: ReplicaDraft, path: str, restart_policies: Sequence[str]
) -> Iterator[Problem]:
    """Yield what is wrong with one role, whichever it is."""
    if replica.count is None:
        yield required(f"{path}.replicas", "must define number of replicas")
    if replica.restart_policy not in restart_policies:
        yield unsupported(f"{path}.restartPolicy", replica.restart_policy, restart_policies)
    if not _entries(_pod_spec(replica.template), "containers"):
        yield required(f"{path}.template.spec.containers", "must define at least one container")


def _slots_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with the slots."""
    if draft.slots_per_worker is None:
        yield required("spec.slotsPerWorker", "must have number of slots per worker")
    elif draft.slots_per_worker < 0:
        yield invalid("spec.slotsPerWorker", draft.slots_per_worker, NOT_NEGATIVE)


def _run_policy_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with how the job is to run and to end."""
    path = "spec.runPolicy"
    if draft.clean_pods is None:
        yield required(f"{path}.cleanPodPolicy", "must have clean Pod policy")
    elif draft.clean_pods not in CLEAN_POD_POLICIES:
        yield unsupported(f"{path}.cleanPodPolicy", draft.clean_pods, CLEAN_POD_POLICIES)
    numbers = {
        "ttlSecondsAfterFinished": draft.ttl_s,
        "activeDeadlineSeconds": draft.active_deadline_s,
        "backoffLimit": draft.backoff_limit,
    }
    for field, number in numbers.items():
        if number is not None and number < 0:
            yield invalid(f"{path}.{field}", number, NOT_NEGATIVE)
    managers = draft.identity.written_in.ways.managers
    if draft.managed_by is not None and draft.managed_by not in managers:
        yield unsupported(f"{path}.managedBy", draft.managed_by, managers)


def _ssh_and_flavour_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with the ssh path and the MPI implementation."""
    if not draft.ssh_auth_mount_path:
        yield required("spec.sshAuthMountPath", "must have a mount path for SSH credentials")
    if draft.flavour not in FLAVOURS:
        yield unsupported("spec.mpiImplementation", draft.flavour, FLAVOURS)


def _further_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what mpi-operator does not check, though such a job never runs with it either."""
    if ":" in (draft.ssh_auth_mount_path or ""):
        yield invalid("spec.sshAuthMountPath", draft.ssh_auth_mount_path, "must not contain ':'")
    least = draft.scheduling.min_available if draft.scheduling is not None else None
    if least is not None and least < 0:
        yield invalid("spec.runPolicy.schedulingPolicy.minAvailable", least, NOT_NEGATIVE)
    yield from _size_problems(draft)
    replicas = draft.replicas or {}
    ssh = {names.SSH_VOLUME: draft.ssh_auth_mount_path or ""}
    if LAUNCHER in replicas:
        added = ssh | {names.CONFIG_VOLUME: names.MPI_DIR}
        yield from _clashes(replicas[LAUNCHER].template, LAUNCHER, added)
    if WORKER in replicas:
        yield from _clashes(replicas[WORKER].template, WORKER, ssh)


def _v1_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what the training-operator asks of a v1 job besides.

    Source: `ValidateV1MpiJobSpec`, training-operator v1.9 (pkg/apis/kubeflow.org/v1).
    """
    if draft.identity.written_in is not Version.V1:
        return
    for role, replica in (draft.replicas or {}).items():
        path = f"spec.mpiReplicaSpecs[{role}]"
        if role not in (LAUNCHER, WORKER):
            yield unsupported(path, role, (LAUNCHER, WORKER))
            continue
        for index, container in enumerate(_entries(_pod_spec(replica.template), "containers")):
            for field in ("name", "image"):
                if not container.get(field):
                    where = f"{path}.template.spec.containers[{index}].{field}"
                    yield required(where, f"must define the {field} of every container")


def _size_problems(draft: Draft) -> Iterator[Problem]:
    """Yield whether there are more workers than lines in the largest hostfile."""
    worker = (draft.replicas or {}).get(WORKER)
    if worker is None or worker.count is None:
        return
    key = draft.identity.key
    # The shortest line that a worker can have: "pi-worker-0.pi.default.svc" and its end.
    line_bytes = len(f"{names.worker(key.name, 0)}.{key.name}.{key.namespace}.svc\n".encode())
    most = CONFIG_MAP_BYTES // line_bytes
    if worker.count > most:
        yield invalid(
            f"spec.mpiReplicaSpecs[{WORKER}].replicas",
            worker.count,
            f"must be less than or equal to {most}, since the hostfile of more workers does not "
            "fit into a ConfigMap (1 MiB)",
        )


def _clashes(template: Manifest, role: str, added: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the volumes and mounts of a template that are in the way of those we add.

    Args:
        added: The mount paths of our volumes, by volume name.

    """
    spec = _pod_spec(template)
    path = f"spec.mpiReplicaSpecs[{role}].template.spec"
    for index, volume in enumerate(_entries(spec, "volumes")):
        if volume.get("name") in added:
            field = f"{path}.volumes[{index}].name"
            yield Problem(field, DUPLICATE, "", quoted(volume["name"]))
    for container in _entries(spec, "containers")[:1]:
        for index, mount in enumerate(_entries(container, "volumeMounts")):
            if mount.get("mountPath") in added.values():
                field = f"{path}.containers[0].volumeMounts[{index}].mountPath"
                yield invalid(field, mount["mountPath"], "must be unique")


def _pod_spec(template: Manifest) -> Manifest:
    """Return the template's pod spec, empty where there is none."""
    spec = template.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _entries(parent: Manifest, field: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects, empty where there is none; what is no object is left out."""
    entries = parent.get(field)
    if not isinstance(entries, (list, tuple)):
        return ()
    return [entry for entry in entries if isinstance(entry, Mapping)]
