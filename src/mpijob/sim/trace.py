"""A history as a person reads it: who did what, when, and what the objects' versions were then."""

from typing import assert_never

from mpijob.cluster.conditions import true_conditions
from mpijob.cluster.store import Change
from mpijob.core.observed import Observed
from mpijob.core.plan import (
    Announce,
    Confirm,
    Create,
    Delete,
    MintSecret,
    Patch,
    Plan,
    Step,
    WriteStatus,
)
from mpijob.core.status import JobStatus


def plan_line(plan: Plan, observed: Observed) -> str:
    """Return what an operator saw, in short, and what it is about to do."""
    seen = f"sees version {observed.job.identity.version}, is {plan.phase}"
    stages = "; then ".join(", ".join(map(step_text, stage)) for stage in plan.stages)
    return f"{seen}: {stages or 'nothing to do'}"


def step_text(step: Step) -> str:
    """Return one step in a few words."""
    match step:
        case WriteStatus(version, status):
            return f"report @{version} ({status_text(status)})"
        case Confirm(version):
            return f"confirm @{version}"
        case Create(ref, _):
            return f"create {ref.kind} {ref.name}"
        case MintSecret():
            return f"mint {step.ref.name}"
        case Patch(ref, version, fields, subresource):
            part = f"/{subresource}" if subresource else ""
            return f"patch {ref.kind} {ref.name}{part} @{version} {dict(fields)}"
        case Delete(ref, uid):
            return f"delete {ref.kind} {ref.name} ({uid})"
        case Announce():
            return f"announce {step.reason}"
        case _:
            assert_never(step)


def status_text(status: JobStatus) -> str:
    """Return a status in short: what is true of the job, and why."""
    rows = [f"{row.type}={row.reason}" for row in status.conditions if row.true]
    return " ".join(rows) + (f" restarts={status.restarts}" if status.restarts else "")


def change_line(change: Change) -> str:
    """Return one change of the store."""
    metadata, status = change.manifest["metadata"], change.manifest.get("status") or {}
    leaving = " (deleting)" if "deletionTimestamp" in metadata else ""
    phase = f" {status['phase']}" if "phase" in status else ""
    held = " (suspended)" if change.manifest.get("spec", {}).get("suspend") else ""
    true = true_conditions(change.manifest)
    said = f" [{' '.join(true)}]" if true else ""
    name = f"{change.ref.kind} {change.ref.name} ({metadata['uid']})"
    return f"{change.version:>5} {change.type.lower():<8} {name}{phase}{held}{leaving}{said}"
