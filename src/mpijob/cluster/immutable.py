"""What a write may not change of an object that is there.

Source: the update validation of Kubernetes 1.36 (pkg/apis/*/validation, ValidateObjectMetaUpdate).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mpijob.cluster.conditions import true_conditions
from mpijob.core.job import Manifest, Problem
from mpijob.core.plan import Kind

#: What may change of the pod spec of a suspended Job's template, beside all of its metadata.
SCHEDULING_SPEC = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
POD_FORBIDDEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions"
    " to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it"
    " was previously negative)"
)
IMMUTABLE = "field is immutable"
_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")


def problems(kind: Kind, old: Manifest, new: Manifest) -> tuple[Problem, ...]:
    """Return what a rewrite changes that may not change."""
    rule = _RULES.get(kind)
    found = tuple(_finalizer_problems(old, new))
    return found if rule is None else (*found, *rule(old, new))


def identity_problems(before: Manifest, wanted: Manifest) -> tuple[Problem, ...]:
    """Return what a write claims of an object's identity, in its metadata, and may not.

    What it leaves out it does not claim; what the server alone sets it may repeat.
    """
    if wanted is before:
        return ()
    claims = {name: wanted.get(name) for name in ("uid", *_DELETION)}
    if before.get("deletionTimestamp"):
        claims["deletionTimestamp"] = None
    return tuple(
        Problem(f"metadata.{name}", "Invalid value", IMMUTABLE, _shown(value))
        for name, value in claims.items()
        if value not in (None, "", before.get(name))
    )


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _immutable(path: str, old: Any, new: Any) -> Iterator[Problem]:
    if old != new:
        yield Problem(path, "Invalid value", IMMUTABLE, _shown(new))


def _finalizer_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before = old["metadata"].get("finalizers", ())
    added = [name for name in new["metadata"].get("finalizers", ()) if name not in before]
    if added and "deletionTimestamp" in old["metadata"]:
        shown = ", ".join(f'"{name}"' for name in added)
        detail = (
            "no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{shown}}}"
        )
        yield Problem("metadata.finalizers", "Forbidden", detail)


def _pod_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before, after = old["spec"], new["spec"]
    if before == after:
        return
    gates = before.get("schedulingGates", [])
    for index, gate in enumerate(after.get("schedulingGates", [])):
        if gate not in gates:
            detail = (
                "only deletion is allowed, but found new scheduling gate '" + gate["name"] + "'"
            )
            yield Problem(f"spec.schedulingGates[{index}].name", "Forbidden", detail)
    yield from _pod_deadline_problems(before, after)
    gated = bool(before.get("schedulingGates"))
    if _fixed_pod_spec(before, gated=gated) != _fixed_pod_spec(after, gated=gated):
        yield Problem("spec", "Forbidden", POD_FORBIDDEN)
    kept = after.get("tolerations", [])
    if any(toleration not in kept for toleration in before.get("tolerations", [])):
        yield Problem("spec", "Forbidden", POD_FORBIDDEN)


def _pod_deadline_problems(before: Manifest, after: Manifest) -> Iterator[Problem]:
    old, new = before.get("activeDeadlineSeconds"), after.get("activeDeadlineSeconds")
    path = "spec.activeDeadlineSeconds"
    if old is not None and new is None:
        detail = "must not update from a positive integer to nil value"
        yield Problem(path, "Invalid value", detail, "null")
    elif old is not None and new > old:
        detail = "must be less than or equal to previous value"
        yield Problem(path, "Invalid value", detail, _shown(new))


def _fixed_pod_spec(spec: Manifest, *, gated: bool) -> Manifest:
    """Return the part of a pod's spec that no write may change.

    A pod that gates hold may still be told where it can go.
    """
    free = {"tolerations", "activeDeadlineSeconds", "schedulingGates"}
    free |= {"nodeSelector", "affinity"} if gated else set()
    if spec.get("terminationGracePeriodSeconds", 0) in (-1, 1):
        free.add("terminationGracePeriodSeconds")
    fixed = {name: value for name, value in spec.items() if name not in free}
    for name in ("containers", "initContainers"):
        if name in fixed:
            fixed[name] = [{**container, "image": ""} for container in fixed[name]]
    return fixed


def _job_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before, after = old["spec"], new["spec"]
    for name in ("completions", "selector"):
        yield from _immutable(f"spec.{name}", before.get(name), after.get(name))
    had, has = before["template"], after.get("template", {})
    if had != has:
        if _is_movable(old):
            had, has = _fixed_spec(had), _fixed_spec(has)
            yield from _immutable("spec.template.spec", had, has)
        else:
            yield from _immutable("spec.template", had, has)
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"):
        yield from _immutable(f"spec.{name}", before.get(name), after.get(name))


def _is_movable(job: Manifest) -> bool:
    """Say whether a Job's scheduling directives and resources may change (KEP-2926, KEP-5440)."""
    status = job.get("status", {})
    if not job["spec"].get("suspend") or status.get("active"):
        return False
    return "startTime" not in status or "Suspended" in true_conditions(job)


def _fixed_spec(template: Manifest) -> Manifest:
    """Return the part of a suspended Job's template that no write may change."""
    spec = dict(_without(template.get("spec", {}), SCHEDULING_SPEC))
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [_without(container, ("resources",)) for container in spec[name]]
    return spec


def _without(fields: Manifest, names: tuple[str, ...]) -> Manifest:
    return {name: value for name, value in fields.items() if name not in names}


def _service_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before, after = old["spec"].get("clusterIP", ""), new["spec"].get("clusterIP", "")
    if before and before != after:
        detail = "may not change once set"
        yield Problem("spec.clusterIPs[0]", "Invalid value", detail, _shown([after]))


def _secret_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    yield from _immutable("type", old.get("type"), new.get("type"))
    yield from _data_problems(old, new)


def _data_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    if not old.get("immutable"):
        return
    detail = "field is immutable when `immutable` is set"
    for name in ("immutable", "data", "binaryData"):
        if old.get(name) != new.get(name):
            yield Problem(name, "Forbidden", detail)


def _priority_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    for name in ("value", "preemptionPolicy"):
        if old.get(name) != new.get(name):
            yield Problem(name, "Forbidden", "may not be changed in an update.")


_RULES: Mapping[Kind, Callable[[Manifest, Manifest], Iterator[Problem]]] = {
    Kind.POD: _pod_problems,
    Kind.JOB: _job_problems,
    Kind.SERVICE: _service_problems,
    Kind.SECRET: _secret_problems,
    Kind.CONFIG_MAP: _data_problems,
    Kind.PRIORITY_CLASS: _priority_problems,
}
