"""What keeps one pod from running, as facts: of its containers, its node, and who was told what."""

from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct

from mpijob.core import telltales
from mpijob.core.circumstances import Circumstances, Notice
from mpijob.core.observed import ContainerView, PodPhase, PodView
from mpijob.core.policy import retry
from mpijob.core.status import Failure


class Weight(IntEnum):
    """How much a fact explains; the lowest comes first."""

    CAUSE = 0
    HINDRANCE = 1
    WAIT = 2
    NEWS = 3


class Fact(Struct, frozen=True):
    """One thing that is so: of whom (`subject`), what, and what to do about it ("" for nothing)."""

    weight: Weight
    subject: str
    what: str
    advice: str = ""


class Trouble(Struct, frozen=True):
    """What keeps a pod from running, whichever pod it is: many may have the same."""

    weight: Weight
    what: str
    advice: str = ""


_QUIET = frozenset(("", "PodInitializing", "ContainerCreating"))
_RESTARTED = "CrashLoopBackOff"
#: What kubelets tell of a pod whose containers they cannot make.
_ABSENT, _LATE = "not found", "failed to sync"
_UNMADE = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume")


def troubles(pod: PodView, around: Circumstances) -> Iterator[Trouble]:
    """Yield what keeps one pod from running."""
    if pod.phase is PodPhase.FAILED:
        yield _of_failure(retry.cause(pod), around)
        return
    lost = around.told(pod.uid, "NodeNotReady")
    if lost is not None and not pod.ready and pod.phase is PodPhase.RUNNING:
        what = f"runs on node {pod.node}, which does not answer"
        yield Trouble(Weight.CAUSE, what, telltales.of_reason("NodeLost"))
    elif pod.unschedulable:
        what = f"cannot be scheduled: {pod.unschedulable}"
        yield Trouble(Weight.CAUSE, what, telltales.of_scheduler(pod.unschedulable))
    else:
        yield from _of_containers(pod, around)


def of_failure(failure: Failure, around: Circumstances, weight: Weight = Weight.CAUSE) -> Fact:
    """Return the first cause: which pod died, where, how, and what it said last."""
    trouble = _of_failure(failure, around)
    return Fact(weight, f"pod {failure.pod}", trouble.what, trouble.advice)


def _of_failure(failure: Failure, around: Circumstances) -> Trouble:
    node = f" on node {failure.node}" if failure.node else ""
    words = failure.message or around.last_words.get(failure.pod, "")
    what = f"failed{node} ({_end(failure.reason, failure.exit_code)}){_said(words)}"
    return Trouble(Weight.CAUSE, what, _remedy(failure.reason, words, failure.exit_code))


def _of_containers(pod: PodView, around: Circumstances) -> Iterator[Trouble]:
    stuck = [c for c in pod.containers if c.waiting_reason not in _QUIET]
    for container in stuck:
        yield _stuck(container, around.last_words.get(pod.name, ""))
    told = around.told(pod.uid, *_UNMADE)
    if not stuck and pod.phase is PodPhase.PENDING:
        waits = not any(c.running or c.exit_code is not None for c in pod.containers)
        if told is not None and waits:
            yield _unmade(told)
        else:
            yield Trouble(Weight.WAIT, "is starting" if pod.node else "waits to be scheduled")
    probe = around.told(pod.uid, "Unhealthy")
    if probe is not None and pod.phase is PodPhase.RUNNING and not (pod.ready or stuck):
        advice = "See that what the probe asks for is there, and in time."
        yield Trouble(Weight.HINDRANCE, f"is not ready: {probe.message}", advice)


def _unmade(told: Notice) -> Trouble:
    """What is to be said of a pod whose containers cannot be made.

    A kubelet that lags behind tells of failures that pass, but not that something is not there:
    of what it has not heard of yet it says that it could not be synced.
    """
    if _ABSENT in told.message:
        advice = telltales.of_reason("FailedMount")
        return Trouble(Weight.CAUSE, f"cannot start: {told.message}", advice)
    advice = "" if told.reason == "FailedMount" else telltales.of_reason(told.reason)
    weight = Weight.WAIT if _LATE in told.message else Weight.HINDRANCE
    return Trouble(weight, f"cannot start yet: {told.message}", advice)


def _stuck(container: ContainerView, log: str) -> Trouble:
    """What is to be said of a container that waits, and is not merely on its way.

    `log` is the end of what it wrote, where its status has no words of its own.
    """
    if container.waiting_reason == _RESTARTED and container.exit_code is not None:
        reason, words = container.ended_reason, container.ended_message or log
        end = _end(reason, container.exit_code)
        what = f"container {container.name} fails again and again ({end}){_said(words)}"
        advice = _remedy(reason, words, container.exit_code)
        return Trouble(Weight.CAUSE, what, advice or telltales.of_reason(_RESTARTED))
    said = _said(container.waiting_message)
    what = f"container {container.name} waits ({container.waiting_reason}){said}"
    advice = telltales.of_reason(container.waiting_reason)
    return Trouble(Weight.CAUSE, what, advice or telltales.of_words(container.waiting_message))


def _end(reason: str, code: int | None) -> str:
    exit_ = "" if code is None else f", exit code {code}"
    meaning = telltales.exit_meaning(code)
    return f"{reason}{exit_}" + (f" ({meaning})" if meaning else "")


def _said(words: str) -> str:
    return f": {words.strip()}" if words.strip() else ""


def _remedy(reason: str, words: str, code: int | None) -> str:
    advice = telltales.of_reason(reason) or telltales.of_words(words)
    return advice or (telltales.of_words("command not found") if code == 127 else "")
