"""Why is it not running? One job's observed world, as facts that a person can act on.

The first fact is the likeliest cause. Facts are told from what was seen, in the words of those
who saw it; what to do about it is ours to say.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from mpijob.core import names
from mpijob.core.job import MPIJob, Rejected
from mpijob.core.observed import ContainerView, Observed, PodPhase, PodView
from mpijob.core.policy import retry
from mpijob.core.policy.managed_by import MULTI_KUEUE, managed_elsewhere
from mpijob.core.policy.ownership import stranger
from mpijob.core.status import ConditionType, Failure, JobStatus


class Weight(IntEnum):
    """How much a fact explains; the lowest comes first."""

    CAUSE = 0
    HINDRANCE = 1
    WAIT = 2
    NEWS = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so: of whom (`subject`), what, and what to do about it ("" for nothing)."""

    weight: Weight
    subject: str
    what: str
    advice: str = ""


#: What the last words of a launcher or worker give away, and what helps.
_TELLTALES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"not enough slots|more processes than.*slots",
            "Ask mpirun for no more ranks than workers × slotsPerWorker, or raise one of the two.",
        ),
        (
            r"allow-run-as-root|running.*as root is strongly",
            "Open MPI refuses to run as root: add --allow-run-as-root, or set runAsUser.",
        ),
        (
            r"could not resolve hostname|name or service not known|nodename nor servname",
            "A worker's name does not resolve: see that the job's Service and pods are there.",
        ),
        (
            r"connection refused",
            "A worker's sshd does not listen: see the worker's log, and its ssh port.",
        ),
        (
            r"permission denied \(publickey|authentication refused|bad ownership or modes",
            "ssh refuses the job's key: sshAuthMountPath must lie in the home of its user.",
        ),
        (r"host key verification failed", "The workers' host keys are not those of this job."),
        (
            (
                r"executable (could not be|was not) found|unable to find the specified executable"
                r"|could not find an executable|no such file or directory|command not found"
            ),
            "A program is not where the job looks for it: check the command and the PATH.",
        ),
        (
            r"modulenotfounderror|no module named",
            "A Python package is missing where the ranks run.",
        ),
        (
            r"no components were able to be opened|ofi .* failed|ucx.*error",
            "The MPI library found no usable network: see its --mca btl and pml settings.",
        ),
        (r"cuda.*out of memory", "The GPU's memory is full: use a smaller batch, or more ranks."),
    )
)

_EXITS = {
    126: "the command is there, but cannot be executed",
    127: "the command was not found",
    137: "killed (SIGKILL), often for want of memory",
    139: "crashed (SIGSEGV)",
    143: "told to stop (SIGTERM)",
}

_REASONS = {
    "OOMKilled": "Raise the memory limit, or need less of it.",
    "Evicted": "The node ran short: ask for what the pod really needs, so that it is placed well.",
    "ErrImagePull": "Check the image's name and that the cluster may pull it.",
    "ImagePullBackOff": "Check the image's name and that the cluster may pull it.",
    "InvalidImageName": "Write an image name that a registry would understand.",
    "CreateContainerConfigError": "Create the ConfigMap or Secret that the pod refers to.",
    "CrashLoopBackOff": "Read its last words: mpijob logs --previous.",
    "FailedMount": "Create what the volume refers to, or use a volume that is supported here.",
}

_QUIET = frozenset(("", "PodInitializing", "ContainerCreating"))


def explain(observed: Observed) -> tuple[Fact, ...]:
    """Return why the job is not running (or that it is), the likeliest cause first."""
    return tuple(sorted(_facts(observed), key=lambda fact: fact.weight))


def _facts(observed: Observed) -> Iterator[Fact]:
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
        yield from _end(job)
    else:
        yield from _life(job, observed)


def _end(job: MPIJob) -> Iterator[Fact]:
    status = job.status
    done = status.condition(ConditionType.SUCCEEDED)
    if done is not None and done.true:
        yield Fact(Weight.NEWS, str(job.key), "has succeeded")
        return
    failed = status.condition(ConditionType.FAILED)
    told = failed.message if failed else ""
    if status.failure is not None and status.failure.message:
        # The last words of the culprit are told below, with the culprit.
        told = told.removesuffix(f": {status.failure.message}")
    message = f"has failed: {failed.reason}: {told}" if failed else "has failed"
    advice = _telltale(told)
    yield Fact(Weight.HINDRANCE, str(job.key), message, advice)
    if status.failure is not None:
        yield _of_failure(status.failure)


def _life(job: MPIJob, observed: Observed) -> Iterator[Fact]:
    taken = stranger(job, observed)
    if taken is not None:
        advice = "Delete or rename that object, or give the job another name."
        yield Fact(Weight.CAUSE, str(job.key), taken, advice)
    if job.suspended:
        advice = "Resume it (mpijob resume), or wait for the queue that holds it."
        yield Fact(Weight.CAUSE, str(job.key), "is suspended", advice)
        return
    yield from _restarts(job.status)
    yield from _workers(job, observed)
    yield from _launcher(job, observed)


def _restarts(status: JobStatus) -> Iterator[Fact]:
    if status.failure is not None and status.is_true(ConditionType.RESTARTING):
        yield _of_failure(status.failure)


def _of_failure(failure: Failure) -> Fact:
    """The first cause: which pod died, where, how, and what it said last."""
    node = f" on node {failure.node}" if failure.node else ""
    code = failure.exit_code
    exit_ = "" if code is None else f", exit code {code}"
    meaning = _EXITS.get(code or 0)
    exit_ += f" ({meaning})" if meaning else ""
    said = f": {failure.message.strip()}" if failure.message.strip() else ""
    advice = _REASONS.get(failure.reason, "") or _telltale(failure.message)
    what = f"failed{node} ({failure.reason}{exit_}){said}"
    return Fact(Weight.CAUSE, f"pod {failure.pod}", what, advice)


def _workers(job: MPIJob, observed: Observed) -> Iterator[Fact]:
    workers = {pod.name: pod for pod in retry.wanted_workers(job, observed)}
    wanted = [names.worker(job.name, index) for index in range(job.worker_count)]
    missing = [name for name in wanted if name not in workers]
    if missing:
        yield Fact(Weight.WAIT, _several(missing, len(wanted)), "not created yet")
    hindered: dict[tuple[Weight, str, str], list[str]] = {}
    for name in wanted:
        if name in workers:
            for trouble in _troubles(workers[name]):
                hindered.setdefault(trouble, []).append(name)
    for (weight, what, advice), whose in hindered.items():
        yield Fact(weight, _several(whose, len(wanted)), what, advice)


def _launcher(job: MPIJob, observed: Observed) -> Iterator[Fact]:
    launcher = observed.launcher
    if launcher is None:
        yield Fact(Weight.WAIT, "launcher", "not created yet")
        return
    if launcher.failed_count:
        limit = retry.backoff_limit(job)
        what = f"has failed {launcher.failed_count} of the {limit} times it may"
        yield Fact(Weight.HINDRANCE, "launcher", what, "See mpijob logs --role launcher.")
    live = [p for p in observed.launcher_pods if p.phase in (PodPhase.PENDING, PodPhase.RUNNING)]
    for pod in live:
        for weight, what, advice in _troubles(pod):
            yield Fact(weight, f"pod {pod.name}", what, advice)
        if pod.phase is PodPhase.RUNNING:
            yield Fact(Weight.NEWS, f"pod {pod.name}", "is running")
        elif any(c.init and c.running for c in pod.containers):
            what = "waits until every worker answers"
            yield Fact(Weight.WAIT, f"pod {pod.name}", what)
    if not live:
        held = "is held until its workers are back" if launcher.suspended else "has no pod yet"
        yield Fact(Weight.WAIT, "launcher", held)


def _troubles(pod: PodView) -> Iterator[tuple[Weight, str, str]]:
    """What keeps one pod from running, as (weight, what, advice)."""
    if pod.phase is PodPhase.FAILED:
        fact = _of_failure(retry.cause(pod))
        yield Weight.CAUSE, fact.what, fact.advice
    elif pod.unschedulable:
        yield Weight.CAUSE, f"cannot be scheduled: {pod.unschedulable}", _unplaced(pod)
    else:
        stuck = [c for c in pod.containers if c.waiting_reason not in _QUIET]
        for container in stuck:
            yield Weight.CAUSE, _stuck(container), _REASONS.get(container.waiting_reason, "")
        if not stuck and pod.phase is PodPhase.PENDING:
            yield Weight.WAIT, "is starting" if pod.node else "waits to be scheduled", ""


def _unplaced(pod: PodView) -> str:
    if "free ports" in pod.unschedulable:
        return (
            "Workers with hostNetwork need a node each on which their ssh port is free: add nodes, "
            "ask for fewer workers, or leave out hostNetwork."
        )
    return "Ask for less, free what others hold, or add nodes."


def _stuck(container: ContainerView) -> str:
    said = f": {container.waiting_message}" if container.waiting_message else ""
    return f"container {container.name} waits ({container.waiting_reason}){said}"


def _several(whose: Iterable[str], of: int) -> str:
    pods = list(whose)
    if len(pods) == 1:
        return f"pod {pods[0]}"
    return f"{len(pods)} of {of} workers ({pods[0]} … {pods[-1]})"


def _telltale(text: str) -> str:
    return next((advice for pattern, advice in _TELLTALES if pattern.search(text)), "")
