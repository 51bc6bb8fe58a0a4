"""Why is it not running? One job's observed world, as facts that a person can act on.

The first fact is the likeliest cause. Facts are told from what was seen, in the words of those
who saw it; what to do about it is ours to say. What may pass by itself is no cause: a fact is one
only where somebody has to act, or where it has ended the job.
"""

import re
from collections.abc import Iterable, Iterator

from mpijob.core import names, telltales
from mpijob.core.circumstances import NOTHING_KNOWN, Circumstances
from mpijob.core.job import LauncherStart, MPIJob, Rejected
from mpijob.core.observed import ContainerView, Observed, PodPhase, PodView
from mpijob.core.pod_troubles import Fact, Trouble, Weight, of_failure, troubles
from mpijob.core.policy import retry
from mpijob.core.policy.managed_by import MULTI_KUEUE, managed_elsewhere
from mpijob.core.policy.ownership import stranger
from mpijob.core.status import ConditionType, JobStatus
from mpijob.core.transport.ssh import WAIT_CONTAINER

#: How long, in seconds, an operator may take to notice a job before one wonders if there is one.
_UNNOTICED_S = 15.0
#: How long, in seconds, the workers may take to answer before what ssh says of them counts.
_UNANSWERED_S = 30.0
_WORKERS_ASKED = 3
#: How often in a row ssh has to say the same before it counts.
_SAID_AGAIN = 4
#: What a name server that lags behind, or a busy node, may bring about for a while.
_PASSING = re.compile(r"not known|timed out|servname", re.IGNORECASE)

__all__ = ["Fact", "Weight", "explain", "questions"]


def explain(observed: Observed, around: Circumstances = NOTHING_KNOWN) -> tuple[Fact, ...]:
    """Return why the job is not running (or that it is), the likeliest cause first."""
    return tuple(sorted(_facts(observed, around), key=lambda fact: fact.weight))


def questions(observed: Observed) -> Iterator[tuple[str, str]]:
    """Yield the pods whose last words would tell more than is seen, and which container's.

    Those are what a launcher is running, and what ended without a word. Of workers a few will do.
    """
    for pod in observed.launcher_pods:
        running = [container for container in pod.containers if container.running]
        if running:
            yield pod.name, running[0].name
    ended = [(pod.name, name) for pod in observed.workers if (name := _mute(pod))]
    yield from ended[:_WORKERS_ASKED]
    yield from ((pod.name, name) for pod in observed.launcher_pods if (name := _mute(pod)))


def _mute(pod: PodView) -> str:
    """Return the container of a pod that failed and left no word in its status; "" for none."""
    failed = (c for c in pod.containers if c.exit_code not in (None, 0) and not c.ended_message)
    return next((container.name for container in failed), "")


def _facts(observed: Observed, around: Circumstances) -> Iterator[Fact]:
    job = observed.job
    name = str(job.identity.key)
    if job.identity.deleting:
        yield Fact(Weight.CAUSE, name, "is being deleted")
    elif managed_elsewhere(job):
        yield Fact(Weight.CAUSE, name, f"is managed by {MULTI_KUEUE}, not by mpijob")
    elif isinstance(job, Rejected):
        for problem in job.problems:
            yield Fact(Weight.CAUSE, name, str(problem), "Correct the field and apply it again.")
    elif job.status.finished:
        yield from _end(job, around)
    else:
        yield from _life(job, observed, around)


def _end(job: MPIJob, around: Circumstances) -> Iterator[Fact]:
    status = job.status
    done = status.condition(ConditionType.SUCCEEDED)
    if done is not None and done.true:
        yield Fact(Weight.NEWS, str(job.key), "has succeeded")
        return
    failed = status.condition(ConditionType.FAILED)
    reason = failed.reason if failed else ""
    told = failed.message if failed else ""
    if status.failure is not None and status.failure.message:
        # The last words of the culprit are told below, with the culprit.
        told = told.removesuffix(f": {status.failure.message}")
    message = f"has failed: {reason}: {told}" if failed else "has failed"
    advice = telltales.of_words(told) or telltales.of_reason(reason)
    # Who ran out of time has failed for that, whatever else failed before.
    alone = status.failure is None or reason in _OUT_OF_TIME
    yield Fact(Weight.CAUSE if alone else Weight.HINDRANCE, str(job.key), message, advice)
    if status.failure is not None:
        weight = Weight.HINDRANCE if alone else Weight.CAUSE
        yield of_failure(status.failure, around, weight)


_OUT_OF_TIME = ("DeadlineExceeded",)


def _life(job: MPIJob, observed: Observed, around: Circumstances) -> Iterator[Fact]:
    taken = stranger(job, observed)
    blocked = job.status.condition(ConditionType.BLOCKED)
    if taken is not None or (blocked is not None and blocked.true):
        advice = "Delete or rename that object, or give the job another name."
        what = taken or (blocked.message if blocked else "")
        yield Fact(Weight.CAUSE, str(job.key), what, advice)
    if job.suspended:
        yield _suspended(job, around)
        return
    yield from _unnoticed(job, around)
    yield from _restarts(job.status, around)
    yield from _refused(job, observed, around)
    yield from _workers(job, observed, around)
    yield from _launcher(job, observed, around)


def _suspended(job: MPIJob, around: Circumstances) -> Fact:
    if around.queue:
        what = f"is suspended until queue {around.queue} admits it"
        advice = f"See how far the queue is: kubectl describe localqueue {around.queue}."
        return Fact(Weight.CAUSE, str(job.key), what, advice)
    advice = "Resume it (mpijob resume), or wait for the queue that holds it."
    return Fact(Weight.CAUSE, str(job.key), "is suspended", advice)


def _unnoticed(job: MPIJob, around: Circumstances) -> Iterator[Fact]:
    """No operator has said a word of the job: on a cluster without one, nobody ever will."""
    if job.status.conditions or not around.is_older(job.identity.created_at, _UNNOTICED_S):
        return
    advice = "See that an operator runs and looks after this namespace: mpijob doctor --cluster."
    yield Fact(Weight.CAUSE, str(job.key), "was not noticed by any operator", advice)


def _restarts(status: JobStatus, around: Circumstances) -> Iterator[Fact]:
    if status.failure is not None and status.is_true(ConditionType.RESTARTING):
        yield of_failure(status.failure, around)
    elif status.failure is not None and status.restarts:
        yield of_failure(status.failure, around, Weight.HINDRANCE)


def _refused(job: MPIJob, observed: Observed, around: Circumstances) -> Iterator[Fact]:
    """Tell why what is missing was not made, where a server refused to make it."""
    launcher = observed.launcher
    there = {pod.name for pod in retry.wanted_workers(job, observed)}
    if len(there) < job.worker_count or launcher is None:
        told = around.told(job.uid, "MPIJobFailed")
        if told is not None:
            advice = telltales.of_refusal(told.message)
            yield Fact(Weight.CAUSE, str(job.key), f"was refused: {told.message}", advice)
    if launcher is not None and not observed.launcher_pods:
        told = around.told(launcher.uid, "FailedCreate")
        if told is not None:
            advice = telltales.of_refusal(told.message)
            yield Fact(Weight.CAUSE, "launcher", f"was refused: {told.message}", advice)


def _workers(job: MPIJob, observed: Observed, around: Circumstances) -> Iterator[Fact]:
    workers = {pod.name: pod for pod in retry.wanted_workers(job, observed)}
    wanted = [names.worker(job.name, index) for index in range(job.worker_count)]
    missing = [name for name in wanted if name not in workers]
    if missing:
        yield Fact(Weight.WAIT, _several(missing, len(wanted)), "not created yet")
    hindered: dict[Trouble, list[str]] = {}
    for name in wanted:
        if name in workers:
            for trouble in troubles(workers[name], around):
                hindered.setdefault(trouble, []).append(name)
    for trouble, whose in hindered.items():
        subject = _several(whose, len(wanted))
        yield Fact(_weight(trouble, job, observed), subject, trouble.what, trouble.advice)


def _weight(trouble: Trouble, job: MPIJob, observed: Observed) -> Weight:
    """A worker that is not ready is what holds a launcher up that is made for ready workers."""
    held = job.launcher_start is LauncherStart.WHEN_WORKERS_READY and observed.launcher is None
    return Weight.CAUSE if held and trouble.weight is Weight.HINDRANCE else trouble.weight


def _launcher(job: MPIJob, observed: Observed, around: Circumstances) -> Iterator[Fact]:
    launcher = observed.launcher
    if launcher is None:
        yield Fact(Weight.WAIT, "launcher", "not created yet")
        return
    if launcher.failed_count:
        limit = retry.backoff_limit(job)
        what = f"has failed {launcher.failed_count} of the {limit} times it may"
        yield Fact(Weight.HINDRANCE, "launcher", what, "See mpijob logs --role launcher.")
        yield from _last_failure(observed, around)
    live = [p for p in observed.launcher_pods if p.phase in (PodPhase.PENDING, PodPhase.RUNNING)]
    for pod in live:
        yield from _of_launcher_pod(pod, job, observed, around)
    if not live:
        held = "is held until its workers are back" if launcher.suspended else "has no pod yet"
        yield Fact(Weight.WAIT, "launcher", held)


def _last_failure(observed: Observed, around: Circumstances) -> Iterator[Fact]:
    """Tell how the launcher's latest pod failed: the next one will likely fail the same way."""
    newest = retry.newest_failed(observed.launcher_pods)
    if newest is not None:
        yield of_failure(retry.cause(newest), around)


def _of_launcher_pod(
    pod: PodView, job: MPIJob, observed: Observed, around: Circumstances
) -> Iterator[Fact]:
    subject, said = f"pod {pod.name}", around.last_words.get(pod.name, "").rstrip()
    waits = next((c for c in pod.containers if c.init and c.running), None)
    for trouble in troubles(pod, around):
        if waits is None or trouble.weight is not Weight.WAIT:
            yield Fact(trouble.weight, subject, trouble.what, trouble.advice)
    if waits is not None:
        in_vain = _all_run(job, observed, around)
        yield _of_waiting(subject, waits, said, in_vain=in_vain)
    elif pod.phase is PodPhase.RUNNING:
        yield Fact(Weight.NEWS, subject, "is running")
        advice = telltales.of_words(said)
        if advice:
            yield Fact(Weight.HINDRANCE, subject, f"says: {_last_line(said)}", advice)


def _all_run(job: MPIJob, observed: Observed, around: Circumstances) -> bool:
    """Say whether every worker has been running for long enough to be asked in vain."""
    workers = retry.wanted_workers(job, observed)
    running = [pod for pod in workers if pod.phase is PodPhase.RUNNING]
    old = all(around.is_older(pod.created_at, _UNANSWERED_S) for pod in running)
    return old and len(running) == job.worker_count


def _of_waiting(subject: str, container: ContainerView, said: str, *, in_vain: bool) -> Fact:
    """A launcher that waits: for workers on their way, or in vain, which its log tells."""
    if not container.name.startswith(WAIT_CONTAINER):
        words = f": {_last_line(said)}" if said else ""
        return Fact(Weight.WAIT, subject, f"runs its init container {container.name}{words}")
    reason = _lasting_reason(said)
    advice = telltales.of_words(reason)
    if in_vain and reason:
        certain = advice and not _PASSING.search(reason)
        what = f"waits until every worker answers, in vain: {reason}"
        return Fact(Weight.CAUSE if certain else Weight.HINDRANCE, subject, what, advice)
    return Fact(Weight.WAIT, subject, "waits until every worker answers")


def _lasting_reason(said: str) -> str:
    """Return what ssh has said of a worker again and again; "" while it may only be slow.

    The script that waits says so every 5 s, below a line of its own.
    """
    lines = said.splitlines()
    reasons = [line.strip() for line in lines if line.startswith(" ")][-_SAID_AGAIN:]
    if len(reasons) < _SAID_AGAIN or len(set(reasons)) > 1 or lines[-1].startswith("all "):
        return ""
    return reasons[-1]


def _last_line(said: str) -> str:
    return said.splitlines()[-1].strip() if said else ""


def _several(whose: Iterable[str], of: int) -> str:
    pods = list(whose)
    if len(pods) == 1:
        return f"pod {pods[0]}"
    return f"{len(pods)} of {of} workers ({pods[0]} … {pods[-1]})"
