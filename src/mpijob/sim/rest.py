"""What must hold once nothing moves any more, told from the objects alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpijob.api.adoption import is_watched
from mpijob.cluster.job_status import FINAL, end_of
from mpijob.cluster.owners import controller, controller_uid
from mpijob.cluster.pod_facts import ENDED, phase
from mpijob.cluster.store import Store, ref_of
from mpijob.core import names
from mpijob.core.job import CleanPodPolicy, Manifest, MPIJob, Rejected
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.core.report import BACKOFF_LIMIT_EXCEEDED
from mpijob.core.status import ConditionType
from mpijob.engine.cache import CHILD_KINDS, Cache
from mpijob.ports import Change, ChangeType
from mpijob.sim import user
from mpijob.sim.audit import Broken

if TYPE_CHECKING:
    from mpijob.sim.world import World

_CHILDREN = (
    Kind.SERVICE,
    Kind.CONFIG_MAP,
    Kind.SECRET,
    Kind.JOB,
    Kind.POD,
    Kind.POD_GROUP,
    Kind.SERVICE_ACCOUNT,
    Kind.ROLE,
    Kind.ROLE_BINDING,
)


def owned(store: Store, uid: str) -> list[Ref]:
    """Return the children that the object of that uid controls."""
    return [
        ref_of(manifest)
        for kind in _CHILDREN
        for manifest in store.list(kind)
        if uid and controller_uid(manifest) == uid
    ]


def strangers(store: Store) -> list[Ref]:
    """Return the objects that nobody controls and that are in a job's way."""
    return [
        ref_of(manifest)
        for kind in _CHILDREN
        for manifest in store.list(kind)
        if controller(manifest) is None
    ]


def seen(world: World) -> Observed | None:
    """Return the job's world as one sees it whose watches have told all that they tell.

    What bears no label of ours is seen where an operator has met it; in an hour, whose operators
    cannot be asked, always.
    """
    from mpijob.sim.operator import KEY

    met = {ref for operator in world.operators for ref in operator.cache.met(KEY)}
    asks = bool(world.operators)
    cache = Cache(world.readings.child, world.readings.job)
    for kind in (Kind.MPI_JOB, *CHILD_KINDS):
        for manifest in world.store.list(kind):
            if not asks or is_watched(kind, manifest) or ref_of(manifest) in met:
                cache.apply(kind, Change(ChangeType.ADDED, manifest))
    return cache.observed(KEY)


def is_over(world: World) -> bool:
    """Say whether the job has ended, or its run has: from then on the past counts."""
    job = world.job
    if job is None:
        return False
    uid = job["metadata"]["uid"]
    life = world.audit.life(uid)
    return life.end is not None or bool(life.ended_run) or _is_run_ending(world.store, uid)


def _is_run_ending(store: Store, uid: str) -> bool:
    """Say whether all is set for the launcher's Job to end, and nobody can undo it."""
    for launcher in store.list(Kind.JOB):
        if controller_uid(launcher) != uid:
            continue
        of_launcher = launcher["metadata"]["uid"]
        ends = [phase(p) for p in store.list(Kind.POD) if controller_uid(p) == of_launcher]
        failed = launcher.get("status", {}).get("failed", 0) + ends.count("Failed")
        rows = launcher.get("status", {}).get("conditions") or ()
        verdict = any(row["type"] in FINAL for row in rows)
        return verdict or "Succeeded" in ends or failed > launcher["spec"]["backoffLimit"]
    return False


def check(world: World) -> None:
    """Raise Broken where the world rests in the wrong place."""
    job = world.job
    if job is None:
        _check_gone(world)
        return
    _check_told(world, job)
    observed = seen(world)
    if observed is None:
        raise Broken("nobody sees the job")
    plan = world.practice.decide(observed, world.now, world.config)
    if plan.stages:
        raise Broken(f"at rest, but there is something to do: {plan.steps}")
    match world.readings.job(job):
        case Rejected() as rejected:
            if rejected.managed_by != user.MULTI_KUEUE:
                _check_rejected(rejected)
        case MPIJob() as sound:
            _check_sound(world, sound)


def _check_told(world: World, job: Manifest) -> None:
    """Raise Broken where an event tells of a failure that there was not."""
    uid, failed = job["metadata"]["uid"], "Failed" in picture(world)["conditions"]
    for event in world.store.list(Kind.EVENT):
        tells = event["involvedObject"]["uid"] == uid and event["reason"] == "MPIJobFailed"
        if tells and not failed:
            raise Broken(f"an event tells of a failure: {event['message']}")


def _check_gone(world: World) -> None:
    for kind in _CHILDREN:
        for manifest in world.store.list(kind):
            owner = controller(manifest)
            if owner is not None:
                name = manifest["metadata"]["name"]
                raise Broken(f"the job is gone, and {kind} {name} is still there")


def _check_rejected(job: Rejected) -> None:
    if not job.status.finished and not job.status.is_true(ConditionType.INVALID):
        raise Broken("an invalid job does not say that it is")


def _check_sound(world: World, job: MPIJob) -> None:
    status, uid = job.status, job.uid
    if job.run_policy.managed_by == user.MULTI_KUEUE:
        if owned(world.store, uid):
            raise Broken("a job of another controller has children of ours")
        return
    if status.is_true(ConditionType.INVALID):
        raise Broken("a sound job says that it is invalid")
    if status.finished:
        _check_finished(world, job)
    elif status.is_true(ConditionType.BLOCKED):
        if not strangers(world.store):
            raise Broken("a job is blocked by nobody")
    elif job.suspended:
        _check_suspended(world, job)
    elif not _is_without_room(world, job):
        raise Broken(f"a job that could run rests before its end: {summary(world)}")


def _is_without_room(world: World, job: MPIJob) -> bool:
    """Say whether pods of a job find no node, and the job has set itself no limit to that."""
    waits = any(not pod["spec"].get("nodeName") for pod in world.store.list(Kind.POD))
    limited = job.run_policy.active_deadline_s is not None
    return world.setting.room is not None and waits and not limited


def _check_finished(world: World, job: MPIJob) -> None:
    children = owned(world.store, job.uid)
    if job.run_policy.ttl_s is not None:
        if children:
            raise Broken(f"its time to live is over, and {children[0].name} is still there")
        return
    launcher = world.store.get(Ref(Kind.JOB, job.namespace, names.launcher(job.name)))
    if launcher is not None and end_of(launcher) is None and not launcher["spec"].get("suspend"):
        raise Broken("the job is finished, and its launcher may run")
    if _live_launcher_pods(world, job):
        raise Broken("the job is finished, and its launcher's pod lives")
    alive = [pod for pod in _workers(world, job) if phase(pod) not in ENDED]
    policy = job.run_policy.clean_pods
    if policy is CleanPodPolicy.NONE:
        return
    left = _workers(world, job) if policy is CleanPodPolicy.ALL else alive
    if left:
        raise Broken(f"{left[0]['metadata']['name']} should have been cleaned up")
    if any(ref.kind is Kind.POD_GROUP for ref in children):
        raise Broken("the PodGroup should have been cleaned up")


def _check_suspended(world: World, job: MPIJob) -> None:
    if not job.status.suspended or job.status.is_true(ConditionType.RUNNING):
        raise Broken(f"a suspended job says otherwise: {summary(world)}")
    if _workers(world, job) or _live_launcher_pods(world, job):
        raise Broken("a suspended job has pods")
    if any(ref.kind is Kind.POD_GROUP for ref in owned(world.store, job.uid)):
        raise Broken("a suspended job has a PodGroup")


def _workers(world: World, job: MPIJob) -> list[Manifest]:
    pods = world.store.list(Kind.POD, job.namespace)
    return [pod for pod in pods if controller_uid(pod) == job.uid]


def _live_launcher_pods(world: World, job: MPIJob) -> list[Manifest]:
    launchers = [
        launcher["metadata"]["uid"]
        for launcher in world.store.list(Kind.JOB, job.namespace)
        if controller_uid(launcher) == job.uid
    ]
    pods = world.store.list(Kind.POD, job.namespace)
    return [p for p in pods if controller_uid(p) in launchers and phase(p) not in ENDED]


# Where a job rests, whatever came before.


def is_comparable(world: World) -> bool:
    """Say whether a job rests where one without its past does.

    Not so one that somebody is in the way of, or that finds no room; that ran out of the time or
    the tries that it had, as one that lost a pod, of which its reason then tells; that ended in
    the moment in which it was suspended, or was to start anew; or that was unsound when it rested,
    and stands as before.
    """
    job = world.job
    if job is None or strangers(world.store):
        return False
    found = world.readings.job(job)
    if isinstance(found, Rejected) or found.suspended == found.status.finished:
        return False
    if world.audit.life(found.uid).succeeded_between_runs:
        return False
    failed = found.status.condition(ConditionType.FAILED)
    return failed is None or (not world.ends_well and failed.reason == BACKOFF_LIMIT_EXCEEDED)


def picture(world: World) -> dict[str, Any]:
    """Return where the job rests: what it has, and what it says, without times and counts."""
    job = world.job
    if job is None:
        return {}
    status = world.readings.job(job).status
    told = {row.type.value: row.reason.partition("/")[0] for row in status.conditions if row.true}
    uid = job["metadata"]["uid"]
    children = sorted(f"{ref.kind} {ref.name}" for ref in owned(world.store, uid))
    return {"conditions": told, "children": children}


def summary(world: World) -> str:
    """Return the job's conditions and children in one line."""
    return str(picture(world))
