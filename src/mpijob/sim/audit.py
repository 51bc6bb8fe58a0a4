"""What must hold at every moment: each change of the world is looked at as it is made."""

from collections.abc import Collection, Iterator
from typing import Any

from msgspec import Struct, field

from mpijob.api import flyte
from mpijob.cluster.conditions import true_conditions
from mpijob.cluster.job_status import end_of
from mpijob.cluster.owners import controller_uid
from mpijob.cluster.pod_facts import ENDED, is_deleting, is_ready, phase
from mpijob.cluster.store import Change, ChangeType, Store
from mpijob.core import names, options
from mpijob.core.job import Key, LauncherStart, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.policy.retry import BACKOFF_LIMIT
from mpijob.core.version import Version

ENDS = ("Succeeded", "Failed")


class Broken(AssertionError):
    """A property does not hold. The seed reproduces it."""


class Life(Struct):
    """What is known for good of one MPIJob, by its uid."""

    end: tuple[str, str, str] | None = None
    restarts: int = 0
    times: dict[tuple[str, str], str] = field(default_factory=dict)
    launcher_pods: set[str] = field(default_factory=set)
    ended_run: str = ""
    succeeded_between_runs: bool = False


class Audit:
    """Remembers what must never change again, and compares."""

    def __init__(self) -> None:
        self._lives: dict[str, Life] = {}
        self._job_of_launcher: dict[str, str] = {}

    def life(self, uid: str) -> Life:
        """Return what is known of a job."""
        found = self._lives.get(uid)
        if found is None:
            found = self._lives[uid] = Life()
        return found

    def see(self, change: Change) -> None:
        """Take in one change. Raises Broken where it must not be."""
        match change.ref.kind:
            case Kind.MPI_JOB:
                if change.type is ChangeType.MODIFIED:
                    self._see_job(change.manifest, change.previous or {})
            case Kind.JOB:
                self._see_launcher(change)
            case Kind.POD:
                self._see_pod(change)

    # MPIJobs.

    def _see_job(self, job: Manifest, before: Manifest) -> None:
        status = job.get("status")
        if status is None or status is before.get("status"):
            return
        life = self.life(job["metadata"]["uid"])
        rows = {row["type"]: row for row in status.get("conditions") or ()}
        _check_times(life, status, rows)
        if life.end is None and "Succeeded" in true_conditions(job):
            life.succeeded_between_runs = "Restarting" in true_conditions(before)
        _check_end(life, status, rows)
        _check_restarts(life, job, status)
        _check_reading(life, job, status)

    # The launcher's Jobs and pods.

    def _see_launcher(self, change: Change) -> None:
        job = change.manifest
        owner, uid = controller_uid(job), job["metadata"]["uid"]
        if not owner:
            return
        self._job_of_launcher[uid] = owner
        life = self.life(owner)
        if change.type is ChangeType.DELETED:
            return
        if _runs(job) and not _runs(change.previous):
            if life.ended_run:
                raise Broken("a run that has ended is run again")
            if life.end is not None:
                raise Broken("a finished job's launcher is started")
        if end_of(job) is not None:
            life.ended_run = uid

    def _see_pod(self, change: Change) -> None:
        pod = change.manifest
        job = self._job_of_launcher.get(controller_uid(pod))
        if job is None:
            return
        live = self.life(job).launcher_pods
        if change.type is ChangeType.DELETED or phase(pod) in ENDED:
            live.discard(pod["metadata"]["uid"])
        else:
            live.add(pod["metadata"]["uid"])
            if len(live) > 1:
                raise Broken("two launcher pods at once")


def _runs(job: Manifest | None) -> bool:
    return job is not None and not job["spec"].get("suspend") and end_of(job) is None


def _check_times(life: Life, status: Manifest, rows: dict[str, Any]) -> None:
    started, completed = status.get("startTime"), status.get("completionTime")
    if started and completed and started > completed:
        raise Broken(f"it ended ({completed}) before it began ({started})")
    before, life.times = life.times, {}
    for kind, row in rows.items():
        for moment in ("lastTransitionTime", "lastUpdateTime"):
            key = (kind, moment)
            if row[moment] < before.get(key, ""):
                raise Broken(f"{moment} of {kind} goes back to {row[moment]}")
            life.times[key] = row[moment]


def _check_end(life: Life, status: Manifest, rows: dict[str, Any]) -> None:
    ends = [kind for kind in ENDS if kind in rows and rows[kind]["status"] == "True"]
    if len(ends) > 1:
        raise Broken("a job has failed and has succeeded")
    end = None
    if ends:
        completed = status.get("completionTime")
        if not completed:
            raise Broken(f"a job has {ends[0].lower()} without a completionTime")
        end = (ends[0], rows[ends[0]]["reason"], completed)
        if rows.get("Running", {}).get("status") == "True":
            raise Broken("a finished job is running")
        if rows.get("Suspended", {}).get("status") == "True":
            raise Broken("a finished job is suspended")
    if life.end is not None and end != life.end:
        raise Broken(f"a finished job changed its end: {life.end} became {end}")
    life.end = end


def _check_reading(life: Life, job: Manifest, status: Manifest) -> None:
    """What is told of a v1 job must mean the same to Flyte, which reads less of it."""
    annotations = job["metadata"].get("annotations") or {}
    if annotations.get(options.WRITTEN_IN) != Version.V1:
        return
    try:
        read = flyte.phase(status)
    except flyte.Unreadable as unreadable:
        raise Broken(f"of a v1 job is told what nobody can read: {unreadable}") from None
    if (read in flyte.ENDS) != (life.end is not None):
        raise Broken(f"Flyte reads {read} of a v1 job whose end is {life.end}")


def _check_restarts(life: Life, job: Manifest, status: Manifest) -> None:
    restarts: int = status.get("restarts", 0)
    if restarts < life.restarts:
        raise Broken(f"restarts went back from {life.restarts} to {restarts}")
    limit = job["spec"].get("runPolicy", {}).get("backoffLimit", BACKOFF_LIMIT)
    if restarts > max(life.restarts, limit):
        raise Broken(f"{restarts} restarts where {limit} are allowed")
    life.restarts = restarts


# Before an operator's write takes effect.


def check_owner(store: Store, ref: Ref, job_uid: str) -> None:
    """Raise Broken where an operator is about to change what is not its job's."""
    found = store.get(ref)
    if found is None:
        return
    metadata = found["metadata"]
    if ref.kind is Kind.MPI_JOB:
        if metadata["uid"] != job_uid:
            raise Broken("the status of another job is written")
    elif controller_uid(found) != job_uid:
        raise Broken(f"{ref.kind} {ref.name} of another owner is changed")


def check_ours(found: Manifest, uids: Collection[str]) -> None:
    """Raise Broken where an operator is about to change what no job of these uids owns."""
    metadata = found["metadata"]
    uid = metadata["uid"] if found["kind"] == Kind.MPI_JOB else controller_uid(found)
    if uid not in uids:
        raise Broken(f"{found['kind']} {metadata['name']} of another owner is changed")


def check_deletion(store: Store, ref: Ref, *, seen_all: bool) -> None:
    """Raise Broken where a worker that an active job needs is about to be deleted.

    A dead one may go, but not under a launcher that is seen to run: its ranks would never know.
    """
    pod = store.get(ref)
    if ref.kind is not Kind.POD or pod is None or is_deleting(pod):
        return
    for job in store.list(Kind.MPI_JOB, ref.namespace):
        if job["metadata"]["uid"] != controller_uid(pod) or not _is_active(job):
            continue
        index = names.worker_index(ref.name)
        if index is None or index >= worker_count(job):
            return
        if phase(pod) != "Failed":
            raise Broken(f"{ref.name} is deleted, though the job is active and wants it")
        name = names.launcher(job["metadata"]["name"])
        launcher = store.get(Ref(Kind.JOB, ref.namespace, name))
        if seen_all and _runs(launcher) and not is_elastic(job):
            raise Broken(f"{ref.name} is replaced under a launcher that runs")


def worker_count(job: Manifest) -> int:
    """Return how many workers an MPIJob's manifest wants."""
    count: int = job["spec"]["mpiReplicaSpecs"].get("Worker", {}).get("replicas", 0)
    return count


def is_elastic(job: Manifest) -> bool:
    """Say whether an MPIJob's manifest says that its program survives the loss of a worker."""
    return bool(job["metadata"].get("annotations", {}).get(options.ELASTIC) == "true")


def _is_active(job: Manifest) -> bool:
    ended = any(type_ in ENDS for type_ in true_conditions(job))
    return not ended and not job["spec"].get("runPolicy", {}).get("suspend")


def unready(store: Store, job: Manifest) -> Iterator[str]:
    """Yield the workers that a job waits for: not there, not ready, or on their way out."""
    metadata = job["metadata"]
    key = Key(metadata["namespace"], metadata["name"])
    for index in range(worker_count(job)):
        name = names.worker(key.name, index)
        pod = store.get(Ref(Kind.POD, key.namespace, name))
        if pod is None or not is_ready(pod) or is_deleting(pod) or phase(pod) != "Running":
            yield name


def check_patience(store: Store, ref: Ref) -> None:
    """Raise Broken where the launcher of a patient job is about to start too early."""
    job = store.get(ref)
    if job is None or not is_patient(job):
        return
    missing = next(unready(store, job), None)
    if missing is not None:
        raise Broken(f"the launcher starts before {missing} is ready")


def check_stopped(store: Store, launcher: Manifest) -> None:
    """Raise Broken where a launcher is about to go on whose pod has not been stopped."""
    for pod in store.list(Kind.POD, launcher["metadata"]["namespace"]):
        ends = phase(pod) in ENDED or is_deleting(pod)
        if controller_uid(pod) == launcher["metadata"]["uid"] and not ends:
            raise Broken("the launcher goes on before it has been stopped")


def is_patient(job: Manifest) -> bool:
    """Say whether a job's launcher is to start only when its workers are ready."""
    wished = job["spec"].get("launcherCreationPolicy", LauncherStart.AT_STARTUP)
    return bool(wished != LauncherStart.AT_STARTUP)
