"""The decision: from one job's observed world to the plan that brings it on.

`reconcile` is total and pure. It reads no clock, draws no dice and talks to nobody, and so the
same call serves the operator on a cluster, the local backend and the simulator. It asks one
question: if the world were like this, what should be done?
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import assert_never

from mpijob.core import converge, names, options
from mpijob.core.config import Config
from mpijob.core.job import CleanPodPolicy, MPIJob, Rejected
from mpijob.core.observed import Observed
from mpijob.core.plan import (
    Confirm,
    Create,
    Delete,
    Kind,
    Patch,
    Phase,
    Plan,
    Stage,
    Step,
    WriteStatus,
)
from mpijob.core.policy import deadline, retry
from mpijob.core.policy.elastic import elastic
from mpijob.core.policy.launcher_start import launcher_may_start
from mpijob.core.policy.managed_by import managed_elsewhere
from mpijob.core.policy.news import write_at
from mpijob.core.report import announcements, end_held_until, next_status
from mpijob.core.status import ConditionType, JobStatus
from mpijob.core.transport import Setup
from mpijob.core.transport import setup as chosen_setup

#: How long a job waits before it looks again whether its children's names have come free.
BLOCKED_S = 60


def reconcile(observed: Observed, now: datetime, config: Config) -> Plan:
    """Return what to do about one job, given all that is seen of it.

    The status goes first: it fences the plan (a job that changed since we looked fails that step,
    and with it the rest), and it records what the steps after it may make impossible to see
    again. A plan without a status to write that deletes, or lets the launcher run, asks the server
    first whether the job is still the one that was seen.

    Args:
        observed: The job and its children, perhaps stale, as far as they are known.
        now: UTC, to the second.
        config: The operator's settings.

    Returns:
        The plan; empty stages where nothing is to be done.

    """
    job = observed.job
    if job.identity.deleting:
        return Plan(phase=Phase.DELETING)
    if managed_elsewhere(job):
        return Plan(phase=Phase.ELSEWHERE)
    status = next_status(observed, now)
    phase = _phase(job, status, now)
    if isinstance(job, MPIJob) and not status.finished and not names.recorded(job.identity):
        reported = write_at(observed, status, now) != now
        stages = _record(job) if reported else _told(job, status, ())
        return Plan(stages, phase=phase, again=True)
    acts = () if isinstance(job, Rejected) else _acts(job, observed, status, phase, now, config)
    news_at = write_at(observed, status, now)
    moments = () if isinstance(job, Rejected) else _moments(job, observed, status, now)
    return Plan(
        _told(job, status, acts) if news_at == now else _confirmed(job, acts),
        wake_at=min([at for at in (news_at, *moments) if at and at > now], default=None),
        phase=phase,
        again=any(_leads_on(step, phase) for stage in acts for step in stage),
    )


def _phase(job: MPIJob | Rejected, status: JobStatus, now: datetime) -> Phase:
    if isinstance(job, Rejected):
        return Phase.INVALID
    if status.finished:
        tidied_at = deadline.tidied_at(job, status)
        return Phase.EXPIRED if tidied_at is not None and now >= tidied_at else Phase.FINISHED
    if status.is_true(ConditionType.BLOCKED):
        return Phase.BLOCKED
    if job.suspended:
        return Phase.SUSPENDED
    return Phase.RESTARTING if status.is_true(ConditionType.RESTARTING) else Phase.ACTIVE


def _told(job: MPIJob | Rejected, status: JobStatus, acts: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Put the status before the acts. Events go beside the first, and keep nobody waiting."""
    first, rest = acts[:1], acts[1:]
    beside = (*announcements(job.status, status), *(step for stage in first for step in stage))
    return _stages((WriteStatus(job.identity.version, status),), beside, *rest)


def _confirmed(job: MPIJob | Rejected, acts: tuple[Stage, ...]) -> tuple[Stage, ...]:
    if any(_is_for_good(step) for stage in acts for step in stage):
        return ((Confirm(job.identity.version),), *acts)
    return acts


def _record(job: MPIJob) -> tuple[Stage, ...]:
    """Return the step that notes on the job which version it was written in.

    It stands there before there are children, and then whoever edits the job in whichever version
    changes nothing about it. It follows the first status: a server that checks a new job by the
    rules of the version that it is patched in lets every job be that has one.
    """
    identity = job.identity
    return ((Patch(names.job_ref(identity), identity.version, names.record(identity)),),)


def _acts(
    job: MPIJob,
    observed: Observed,
    status: JobStatus,
    phase: Phase,
    now: datetime,
    config: Config,
) -> tuple[Stage, ...]:
    """Return the stages that bring the children to where the phase wants them."""
    match phase:
        case Phase.DELETING | Phase.ELSEWHERE | Phase.INVALID | Phase.BLOCKED:
            return ()
        case Phase.EXPIRED if job.ways.ttl_takes_job:
            return ((Delete(names.job_ref(job.identity), job.uid),),)
        case Phase.EXPIRED:
            return _stages(converge.everything(job, observed))
        case Phase.FINISHED:
            return _finish(job, observed)
        case Phase.SUSPENDED:
            return _suspend(job, observed, config)
        case Phase.RESTARTING:
            return _restart(job, observed, now, config)
        case Phase.ACTIVE:
            return _run(job, observed, status, now, config)
        case _:
            assert_never(phase)


def _suspend(job: MPIJob, observed: Observed, config: Config) -> tuple[Stage, ...]:
    """Hold the launcher, and let the workers and their gang go."""
    setup = _setup(job, observed, config)
    return _stages(
        _plumb(job, observed, setup, config),
        converge.held_launcher(job, observed, setup, config),
        (*converge.all_workers(job, observed), *converge.pod_group_gone(job, observed)),
    )


def _run(
    job: MPIJob, observed: Observed, status: JobStatus, now: datetime, config: Config
) -> tuple[Stage, ...]:
    setup = _setup(job, observed, config)
    fallen = converge.fallen_workers(job, observed, now) if elastic(job) else ()
    start = launcher_may_start(job, observed, status)
    return _stages(
        (
            *_plumb(job, observed, setup, config),
            *converge.pod_group(job, observed, config),
        ),
        (
            *converge.surplus_workers(job, observed),
            *fallen,
            *converge.missing_workers(job, observed, setup, config),
        ),
        converge.launcher(job, observed, setup, config) if start else (),
    )


def _restart(job: MPIJob, observed: Observed, now: datetime, config: Config) -> tuple[Stage, ...]:
    """Hold the launcher, replace the dead, and only when all are back let the launcher go on.

    Nothing is replaced under a launcher that still runs: its ranks would never know.
    """
    held = observed.launcher is None or observed.launcher.suspended
    if not held:
        return _stages(converge.stopped_launcher(job, observed))
    setup = _setup(job, observed, config)
    back = retry.settled(job, observed)
    return _stages(
        (
            *_plumb(job, observed, setup, config),
            *converge.pod_group(job, observed, config),
        ),
        (
            *converge.surplus_workers(job, observed),
            *converge.fallen_workers(job, observed, now),
            *converge.missing_workers(job, observed, setup, config),
        ),
        converge.launcher(job, observed, setup, config)
        if back and launcher_may_start(job, observed, job.status)
        else (),
    )


def _finish(job: MPIJob, observed: Observed) -> tuple[Stage, ...]:
    """Stop a launcher that outlived its job, and clean up as the policy says."""
    kept = job.run_policy.clean_pods is CleanPodPolicy.NONE
    group = () if kept else converge.pod_group_gone(job, observed)
    return _stages(
        converge.stopped_launcher(job, observed),
        (*converge.cleaned_workers(job, observed), *group),
    )


def _plumb(job: MPIJob, observed: Observed, setup: Setup, config: Config) -> Iterable[Step]:
    """Service, hostfile, keys or rights: what the pods need before they start."""
    yield from converge.service(job, observed)
    yield from converge.config(job, observed, setup, config)
    yield from converge.secrets(job, observed, setup)
    yield from converge.rights(job, observed, setup)


def _setup(job: MPIJob, observed: Observed, config: Config) -> Setup:
    """Who sets up ssh in the job's pods: what the ConfigMap recorded, once there is one."""
    seen = observed.config
    recorded = None if seen is None else seen.annotations.get(options.SSH_SETUP, "")
    return chosen_setup(job, config, recorded)


def _is_for_good(step: Step) -> bool:
    """Say whether a step does what no later one can undo: it deletes, or lets a launcher run.

    Taken on an old view of a job that has ended since, the latter would run it again.
    """
    match step:
        case Delete():
            return True
        case Create(ref, manifest):
            return ref.kind is Kind.JOB and not manifest["spec"].get("suspend")
        case Patch(ref, _, fields):
            return ref.kind is Kind.JOB and fields.get("spec", {}).get("suspend") is False
        case _:
            return False


def _leads_on(step: Step, phase: Phase) -> bool:
    """Say whether there may be more to do at once when a step is done.

    Not so when the hosts have been told, or a job that has ended has been tidied.
    """
    match step:
        case Patch(ref):
            return ref.kind is not Kind.CONFIG_MAP
        case Delete():
            return phase is not Phase.FINISHED
        case _:
            return True


def _moments(
    job: MPIJob, observed: Observed, status: JobStatus, now: datetime
) -> Iterator[datetime | None]:
    """Yield the moments at which time alone changes what is to be done."""
    yield deadline.tidied_at(job, status)
    if status.is_true(ConditionType.BLOCKED):
        yield now + timedelta(seconds=BLOCKED_S)
    if status.finished:
        return
    yield end_held_until(job)
    yield deadline.expires_at(status, job.run_policy.active_deadline_s, observed.launcher)
    dead = retry.dead_workers(job, observed)
    if dead and elastic(job):
        yield from map(retry.rests_until, dead)


def _stages(*stages: Iterable[Step]) -> tuple[Stage, ...]:
    return tuple(stage for stage in map(tuple, stages) if stage)
