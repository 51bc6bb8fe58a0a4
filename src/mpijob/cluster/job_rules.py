"""What a write may not make of a batch/v1 Job's status: an end stays an end, counts only grow.

Source: `ValidateJobUpdateStatus`, Kubernetes 1.36 (pkg/apis/batch/validation).
"""

from collections.abc import Iterator

from mpijob.cluster.conditions import true_conditions
from mpijob.core.job import Manifest, Problem

TERMINAL = ("Failed", "Complete", "FailureTarget")
CONDITIONS = "status.conditions"


def status_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    """Yield what is wrong with the status of `new`, which was `old`."""
    was, now = old.get("status") or {}, new.get("status") or {}
    had, has = true_conditions(old), true_conditions(new)
    if now.get("completionTime") is not None and "Complete" not in has:
        detail = "cannot set completionTime when there is no Complete=True condition"
        yield _wrong("status.completionTime", detail, f'"{now["completionTime"]}"')
    for name in TERMINAL:
        if name in had and name not in has:
            yield _wrong(CONDITIONS, f"cannot disable the terminal {name}=True condition")
    if "SuccessCriteriaMet" in had and "SuccessCriteriaMet" not in has:
        yield _wrong(CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")
    for name in ("failed", "succeeded"):
        if now.get(name, 0) < was.get(name, 0):
            detail = f"cannot decrease the {name} counter"
            yield _wrong(f"status.{name}", detail, str(now.get(name, 0)))
    if now.get("ready", 0) > now.get("active", 0) and was.get("ready") != now.get("ready"):
        detail = "cannot set more ready pods than active"
        yield _wrong("status.ready", detail, str(now["ready"]))
    yield from _time_problems(old, new)


def _time_problems(old: Manifest, new: Manifest) -> Iterator[Problem]:
    was, now = old.get("status") or {}, new.get("status") or {}
    if "Complete" in true_conditions(old) and was.get("completionTime") != now.get(
        "completionTime"
    ):
        yield _wrong("status.completionTime", "completionTime cannot be mutated")
    started_at = was.get("startTime")
    if started_at is None or started_at == now.get("startTime") or new["spec"].get("suspend"):
        return
    resumes = "Suspended" in true_conditions(old) and "Suspended" not in true_conditions(new)
    if resumes:
        return
    if now.get("startTime") is None:
        detail = "startTime cannot be removed for unsuspended job"
        yield Problem("status.startTime", "Required value", detail)
    else:
        detail = "field is immutable for unsuspended job once set"
        yield _wrong("status.startTime", detail, f'"{now["startTime"]}"')


def _wrong(path: str, detail: str, value: str | None = None) -> Problem:
    return Problem(path, "Invalid value", detail, value)
