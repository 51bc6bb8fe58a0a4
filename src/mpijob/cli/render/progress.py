"""How far a job has come, in a few lines, for somebody who watches it start."""

from collections.abc import Iterator
from datetime import datetime

from mpijob.cli.render.age import between
from mpijob.cli.render.facts import short
from mpijob.core import names
from mpijob.core.explain import Weight, explain
from mpijob.core.job import Rejected
from mpijob.core.observed import Observed, PodPhase, PodView
from mpijob.core.plan import Phase
from mpijob.core.status import ConditionType

#: More pods than these are counted, not listed.
_LISTED_MAX = 8

_WORDS = {
    PodPhase.PENDING: "starting",
    PodPhase.RUNNING: "running",
    PodPhase.SUCCEEDED: "done",
    PodPhase.FAILED: "failed",
    PodPhase.UNKNOWN: "lost",
}


def progress(observed: Observed, now: datetime) -> list[str]:
    """Return the lines: what is being waited for, then each pod, then what hinders."""
    job = observed.job
    if isinstance(job, Rejected):
        return [f"{job.identity.key.name} is invalid"]
    head = f"{job.name}: {headline(observed)}"
    so_far = between(job.identity.created_at, None, now)
    lines = [f"{head}  {so_far}".rstrip()]
    if 0 < job.worker_count <= _LISTED_MAX:
        lines += _pods(observed, [names.worker(job.name, i) for i in range(job.worker_count)])
    return lines + [f"  {short(fact)}" for fact in explain(observed) if fact.weight is Weight.CAUSE]


def headline(observed: Observed) -> str:
    """Return in a few words what the job waits for, or that it runs."""
    job = observed.job
    if isinstance(job, Rejected):
        return Phase.INVALID.value
    if job.suspended:
        return "suspended"
    if job.status.is_true(ConditionType.RESTARTING):
        return "starting again, since a worker died"
    if any(pod.phase is PodPhase.RUNNING for pod in observed.launcher_pods):
        return "the launcher runs"
    ready = sum(pod.ready for pod in observed.workers)
    if ready < job.worker_count:
        return f"{ready} of {job.worker_count} workers are ready"
    return "the launcher starts"


def _pods(observed: Observed, wanted: list[str]) -> Iterator[str]:
    """Yield a line for each wanted worker: its name and how it is."""
    there = {pod.name: pod for pod in observed.workers}
    width = max(map(len, wanted))
    for name in wanted:
        yield f"  {name:<{width}}  {_word(there.get(name))}"


def _word(pod: PodView | None) -> str:
    if pod is None:
        return "to be made"
    if pod.deleting:
        return "ending"
    if pod.unschedulable:
        return "waits for room"
    return "ready" if pod.ready and pod.phase is PodPhase.RUNNING else _WORDS[pod.phase]
