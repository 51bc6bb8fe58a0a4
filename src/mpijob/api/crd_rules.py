"""The rules of `core.validate` in the API server's own language (CEL), so that it refuses at once.

A rule has two halves. The first speaks of jobs that have no status yet, as all new ones: they must
be sound. The second speaks of changes: what was sound must not become unsound. Together they never
stand in the way of a status, nor of any other change to a job that was unsound before these rules
came: an operator must be able to say so of a job that it takes over.

Source: `x-kubernetes-validations`, Kubernetes v1.29 and later (optional types, `fieldPath`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mpijob.core.draft import LAUNCHER, WORKER
from mpijob.core.validate import CLEAN_POD_POLICIES, CONFIG_MAP_BYTES, MANAGERS, RESTART_POLICIES
from mpijob.core.version import Version


class Rule(NamedTuple):
    """What holds of every sound job: the field it is about, in CEL of `self`, and in words."""

    field: str
    sound: str
    message: str


MANAGERS_OF_V1 = Version.V1.ways.managers
_REPLICAS = "spec.mpiReplicaSpecs"
_RUN_POLICY = "spec.runPolicy"
_NOT_NEGATIVE = "must be greater than or equal to 0"
#: How long the shortest line of a worker in a hostfile is but for the job's name, which is twice in
#: it: the namespace has a letter at least, and the number of a worker a digit.
_LINE_BYTES = len("-worker-0..n.svc\n")


def validations(version: Version) -> list[dict[str, Any]]:
    """Return the rules of a version of the definition, for the root of its schema."""
    return [row for rule in rules(version) for row in _halves(rule)]


def rules(version: Version = Version.V2BETA1) -> tuple[Rule, ...]:
    """Return every rule of `core.validate` that the server can look at, for jobs of a version.

    A job is looked at by those of the version that it is written in, and later of the one that a
    change is written in: there it need not become sound.

    What the types refuse already is not here. Nor are volumes and mounts in the way of the
    operator's: roles are the keys of a map, below which the server knows no bound of a list, and so
    takes whatever looks at each item for too expensive. The status of such a job says why.
    """
    match version:
        case Version.V2BETA1:
            return (*_name_rules(), *_launcher_rules(), *_worker_rules(), *_field_rules())
        case Version.V1:
            return (*_name_rules(), *_older_role_rules(), *_run_policy_rules(MANAGERS_OF_V1))
        case Version.V1ALPHA2:
            return (*_name_rules(), *_older_role_rules(), *_v1alpha2_rules())
        case Version.V1ALPHA1:
            return (*_name_rules("self.?spec.?replicas.orValue(1)"), *_v1alpha1_rules())


def _halves(rule: Rule) -> Iterator[dict[str, Any]]:
    before = re.sub(r"\bself\b", "oldSelf", rule.sound)
    told = {"message": f"{rule.field}: {rule.message}"}
    if not rule.field.startswith("metadata"):
        # A server takes only what the schema spells out, and knows the metadata without it.
        told["fieldPath"] = "." + re.sub(r"\[(\w+)\]", r"['\1']", rule.field)
    yield {"rule": f"has(self.status) || ({rule.sound})", **told}
    # Of a job without a status the first half has told already.
    yield {"rule": f"!has(self.status) || ({rule.sound}) || !({before})", **told}


def _name_rules(
    last: str = f"self.?spec.?mpiReplicaSpecs[?'{WORKER}'].?replicas.orValue(1)",
) -> Iterator[Rule]:
    """Yield what holds of a job's name, with `last` for how many workers there are."""
    longest = f"size(self.metadata.name) + size('-worker-') + size(string({last} - 1))"
    yield Rule(
        "metadata.name",
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "must be a DNS label that begins with a letter: a-z, 0-9 and '-', for the host names of "
        "its pods",
    )
    yield Rule(
        "metadata.name",
        f"{last} < 1 || {longest} <= 63",
        "too long: with “-worker-” and the last worker's number it must be no more than 63 "
        "characters",
    )


def _launcher_rules() -> Iterator[Rule]:
    path = f"{_REPLICAS}[{LAUNCHER}]"
    yield Rule(path, f"{_role(LAUNCHER)}.hasValue()", "must have Launcher replica spec")
    yield Rule(f"{path}.replicas", f"{_of(LAUNCHER, 'replicas')}.orValue(1) == 1", "must be 1")
    yield from _role_rules(LAUNCHER)


def _worker_rules() -> Iterator[Rule]:
    path, count = f"{_REPLICAS}[{WORKER}].replicas", f"{_of(WORKER, 'replicas')}.orValue(1)"
    said = f"!{_role(WORKER)}.hasValue() || {_of(WORKER, 'replicas')}.hasValue()"
    yield Rule(path, f"({said}) && {count} >= 1", "must be greater than or equal to 1")
    line_bytes = f"(size(self.metadata.name) * 2 + {_LINE_BYTES})"
    yield Rule(
        path,
        f"{count} <= {CONFIG_MAP_BYTES} / {line_bytes}",
        "too many: the hostfile does not fit into a ConfigMap (1 MiB)",
    )
    yield from _role_rules(WORKER)


def _older_role_rules() -> Iterator[Rule]:
    """Yield what holds of the roles of v1alpha2 and v1: how often a role restarts is no matter."""
    path = f"{_REPLICAS}[{LAUNCHER}]"
    yield Rule(path, f"{_role(LAUNCHER)}.hasValue()", "must have Launcher replica spec")
    yield Rule(f"{path}.replicas", f"{_of(LAUNCHER, 'replicas')}.orValue(1) == 1", "must be 1")
    workers = f"{_of(WORKER, 'replicas')}.orValue(1) >= 0"
    yield Rule(f"{_REPLICAS}[{WORKER}].replicas", workers, _NOT_NEGATIVE)
    yield from (*_container_rules(LAUNCHER), *_container_rules(WORKER))
    yield Rule("spec.slotsPerWorker", "self.?spec.?slotsPerWorker.orValue(1) >= 0", _NOT_NEGATIVE)
    yield _one_of("cleanPodPolicy", CLEAN_POD_POLICIES)


def _v1alpha2_rules() -> Iterator[Rule]:
    """Yield what holds of the fields that v1alpha2 has beside v1's."""
    for name in ("backoffLimit", "activeDeadlineSeconds"):
        yield _not_negative(name)


def _v1alpha1_rules() -> Iterator[Rule]:
    """Yield what holds of v1alpha1's jobs: one way to say how many workers, and sound numbers."""
    asked = "[has(self.spec.gpus), has(self.spec.processingUnits), has(self.spec.replicas)]"
    yield Rule(
        "spec",
        f"has(self.spec) && {asked}.filter(said, said).size() == 1",
        "must have one of gpus, processingUnits and replicas",
    )
    for name in ("gpus", "processingUnits"):
        units = f"self.?spec.?{name}.orValue(1)"
        yield Rule(
            f"spec.{name}",
            f"{units} in [1, 2, 4] || ({units} >= 8 && {units} % 8 == 0)",
            "must be 1, 2, 4 or a multiple of 8",
        )
    replicas = "self.?spec.?replicas.orValue(1) >= 1"
    yield Rule("spec.replicas", replicas, "must be greater than or equal to 1")
    containers = "size(self.?spec.?template.?spec.?containers.orValue([])) > 0"
    yield Rule("spec.template.spec.containers", containers, "must define at least one container")
    for name in ("backoffLimit", "activeDeadlineSeconds", "slotsPerWorker"):
        yield _not_negative(name)


def _role_rules(role: str) -> Iterator[Rule]:
    """Yield what holds of either role, where it is there."""
    path = f"{_REPLICAS}[{role}]"
    yield Rule(
        f"{path}.restartPolicy",
        f"{_of(role, 'restartPolicy')}.orValue('') in {_listed('', *RESTART_POLICIES)}",
        f"supported values: {', '.join(RESTART_POLICIES)}",
    )
    yield from _container_rules(role)


def _container_rules(role: str) -> Iterator[Rule]:
    path = f"{_REPLICAS}[{role}]"
    containers = f"{_of(role, 'template')}.?spec.?containers.orValue([])"
    yield Rule(
        f"{path}.template.spec.containers",
        f"!{_role(role)}.hasValue() || size({containers}) > 0",
        "must define at least one container",
    )


def _field_rules() -> Iterator[Rule]:
    yield Rule("spec.slotsPerWorker", "self.?spec.?slotsPerWorker.orValue(1) >= 0", _NOT_NEGATIVE)
    yield from _run_policy_rules(MANAGERS)
    yield Rule(
        "spec.sshAuthMountPath",
        # Not by way of optional values: the server forgets how long those are at most, and then
        # takes the rule for too expensive.
        "!has(self.spec) || !has(self.spec.sshAuthMountPath) || "
        "!self.spec.sshAuthMountPath.contains(':')",
        "must not contain ':'",
    )


def _run_policy_rules(managers: Sequence[str]) -> Iterator[Rule]:
    """Yield what holds of the run policy; `managers` are those that it may name."""
    yield _one_of("runPolicy.cleanPodPolicy", CLEAN_POD_POLICIES)
    for name in (
        "ttlSecondsAfterFinished",
        "activeDeadlineSeconds",
        "backoffLimit",
        "schedulingPolicy.minAvailable",
    ):
        yield _not_negative(f"runPolicy.{name}")
    yield Rule(
        f"{_RUN_POLICY}.managedBy",
        f"self.?spec.?runPolicy.?managedBy.orValue('') in {_listed('', *managers)}",
        f"supported values: {', '.join(managers)}",
    )


def _not_negative(path: str) -> Rule:
    """Return the rule of a number below `spec` that may be 0."""
    number = f"self.?spec.?{path.replace('.', '.?')}.orValue(0)"
    return Rule(f"spec.{path}", f"{number} >= 0", _NOT_NEGATIVE)


def _one_of(path: str, allowed: Sequence[str]) -> Rule:
    """Return the rule of a word below `spec` that must be one of these, where it is there."""
    word = f"self.?spec.?{path.replace('.', '.?')}.orValue({allowed[0]!r})"
    listed = ", ".join(allowed)
    return Rule(f"spec.{path}", f"{word} in {_listed(*allowed)}", f"supported values: {listed}")


def _role(role: str) -> str:
    return f"self.?spec.?mpiReplicaSpecs[?'{role}']"


def _of(role: str, field: str) -> str:
    return f"{_role(role)}.?{field}"


def _listed(*values: str) -> str:
    return f"[{', '.join(repr(value) for value in values)}]"
