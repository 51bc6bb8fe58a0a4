"""How a job is brought to its end by others than its launcher: given up, interrupted, or lost.

The job's status says Failed, with reason and message, as if its launcher had ended so; what the
decision then calls for (who is cleaned up, what is kept) is the core's to say, as ever.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from mpijob.api import versions
from mpijob.cluster import garbage, jobs
from mpijob.cluster.conditions import true_conditions
from mpijob.cluster.owners import controller_uid
from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.pod_status import KILLED, Report, container_rows, status_of, terminated
from mpijob.cluster.store import Store, ref_of
from mpijob.cluster.times import moment
from mpijob.core import names
from mpijob.core.config import Config, Transport
from mpijob.core.job import Key, Manifest
from mpijob.core.observed import End, LauncherView, Observed
from mpijob.core.plan import Kind, Phase, Plan, Ref
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.engine.cache import CHILD_KINDS, Cache
from mpijob.engine.control import Engine, Outside
from mpijob.local.home import JobFolder
from mpijob.local.journal import Journal
from mpijob.local.objects import DICE, LocalObjects
from mpijob.ports import Conflict, NotFound

#: The operator's settings on one machine: ranks come by an agent of ours.
CONFIG = Config(transport=Transport.RSH)
#: The phases in which a job needs nobody any longer, once its plan is empty.
FINAL = frozenset({Phase.FINISHED, Phase.EXPIRED, Phase.INVALID, Phase.ELSEWHERE})
_ENDS = ("Succeeded", "Failed", "Invalid")
#: How much of a uid is in a folder's name.
_MARK = 8
#: More looks than any job needs to come to rest once it has ended.
_LOOKS_MAX = 20


def observed(store: Store, key: Key) -> Observed | None:
    """Return all that is there of one job, None where there is no such job."""
    cache = Cache()
    job = store.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
    if job is None:
        return None
    cache.learn(Kind.MPI_JOB, job)
    for kind in CHILD_KINDS:
        for child in store.list(kind, "" if kind is Kind.PRIORITY_CLASS else key.namespace):
            cache.learn(kind, child)
    return cache.observed(key)


def plan_of(store: Store, key: Key, now: datetime) -> Plan | None:
    """Return what the operator would do about a job now, None where there is no such job."""
    seen = observed(store, key)
    return None if seen is None else reconcile(seen, now, CONFIG)


def may_rest(job: Manifest) -> bool:
    """Say whether a job may need nobody any longer: a quick look before the whole plan is made."""
    ended = any(type_ in _ENDS for type_ in true_conditions(job))
    return ended or bool(job["spec"].get("runPolicy", {}).get("managedBy"))


def is_suspended(job: Manifest) -> bool:
    """Say whether a job is wanted not to run for now."""
    return bool((job["spec"].get("runPolicy") or {}).get("suspend"))


def end_job(store: Store, key: Key, uid: str, why: tuple[str, str], now: datetime) -> None:
    """Have a job end badly, for the reason and with the message of `why`, unless it has ended."""
    seen = observed(store, key)
    if seen is None or seen.job.identity.uid != uid or seen.job.status.finished:
        return
    reason, message = why
    was = seen.launcher or LauncherView(names.launcher(key.name), "", seen.job.identity.uid, "")
    ended = replace(was, end=End(False, reason, message, now))
    status = next_status(replace(seen, launcher=ended), now)
    ref = names.job_ref(seen.job.identity)
    store.patch(
        ref,
        {"status": versions.encode_status(status, seen.job.identity.written_in)},
        now=now,
        subresource="status",
    )


def is_settled(store: Store, job: Manifest, now: datetime) -> bool:
    """Say whether a job is over, with nothing left to do for it."""
    if not may_rest(job):
        return False
    meta = job["metadata"]
    ttl_s = (job["spec"].get("runPolicy") or {}).get("ttlSecondsAfterFinished")
    alive = any(
        phase(pod) not in ENDED and pod["spec"].get("nodeName")
        for pod in store.list(Kind.POD, meta["namespace"])
        if (pod["metadata"].get("labels") or {}).get(names.JOB_NAME_LABEL) == meta["name"]
    )
    if alive or ttl_s is None:
        return not alive
    plan = plan_of(store, Key(meta["namespace"], meta["name"]), now)
    return plan is None or not plan.stages


def lose_pods(store: Store, owners: set[str], why: tuple[str, str], now: datetime) -> bool:
    """Say of the pods with those owners that no process of them is left, and let go of them.

    Returns whether any of them was alive.
    """
    found = False
    for pod in store.list(Kind.POD):
        if controller_uid(pod) not in owners:
            continue
        if pod["spec"].get("nodeName") and phase(pod) not in ENDED:
            found = True
            status = _lost_status(pod, why, now)
            store.replace({**pod, "status": status}, now=now, subresource="status")
        if is_deleting(pod):
            store.delete(ref_of(pod), now=now, uid=pod["metadata"]["uid"], grace_s=0)
    return found


def forget(journal: Journal, folder: JobFolder) -> None:
    """Remove what is kept of a job that was deleted, and that nobody runs: events and folder."""
    marks = {path.name[-_MARK:] for path in folder.pods.glob("*")}
    marks.add(folder.path.name[-_MARK:])
    now = journal.now()

    def action(store: Store) -> None:
        for event in store.list(Kind.EVENT):
            if event["involvedObject"].get("uid", "")[:_MARK] in marks:
                store.delete(ref_of(event), now=now)

    journal.write(action)
    folder.remove()


async def tidy(objects: LocalObjects, key: Key) -> None:
    """Do what is left to do for a job that runs no longer, as its operator and its cluster would.

    Starts no process: pods that a plan may call for stay unbound.
    """
    journal = objects.journal
    for _ in range(_LOOKS_MAX):
        engine = Engine(Outside(objects, _NoKeys(), journal.now), CONFIG, only=key)
        for kind in (Kind.MPI_JOB, *CHILD_KINDS):
            for manifest in journal.store.list(kind):
                engine.cache.learn(kind, manifest)
        try:
            plan = await engine.look(key)
        except (Conflict, NotFound):
            journal.catch_up()
            continue
        journal.write(lambda store: settle(store, key, journal.now()))
        if plan is None or not plan.stages:
            return


def settle(store: Store, key: Key, now: datetime) -> None:
    """Do what the Job controller and the garbage collector would for one job."""
    jobs.sync(store, Ref(Kind.JOB, key.namespace, names.launcher(key.name)), now=now, dice=DICE)
    garbage.collect(store, now=now)


def _lost_status(pod: Manifest, why: tuple[str, str], now: datetime) -> Manifest:
    rows = tuple(
        row.now(
            terminated(
                KILLED,
                finished_at=now,
                started_at=moment(row.state["running"]["startedAt"]),
                reason="ContainerStatusUnknown",
            )
        )
        if "running" in row.state
        else row
        for row in container_rows(pod)
    )
    report = Report("Failed", rows, container_rows(pod, "initContainers"), why[0], why[1])
    return status_of(pod, report, now)


class _NoKeys:
    """Draws nothing: a job that has ended needs no keys."""

    async def draw(self, *_: object) -> dict[str, bytes]:
        """Return no entries."""
        return {}
