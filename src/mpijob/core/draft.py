"""An MPIJob as it was written: fields may be missing or wrong. Defaults and rules make a job of it.

The wire's decoders produce drafts, `default` fills in what was left unsaid, `validate` says all
that is wrong, and `settled` turns a sound draft into an `MPIJob`.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from mpijob.core.job import (
    CleanPodPolicy,
    Flavour,
    Identity,
    LauncherStart,
    Manifest,
    MPIJob,
    Problem,
    Rejected,
    Replica,
    RestartPolicy,
    RunPolicy,
    SchedulingPolicy,
)
from mpijob.core.status import PENDING, ConditionType, JobStatus

LAUNCHER = "Launcher"
WORKER = "Worker"


class ReplicaDraft(Struct, frozen=True):
    """One entry of `spec.mpiReplicaSpecs`, as written."""

    count: int | None = None
    restart_policy: str | None = None
    template: Manifest = field(default_factory=dict)


class Draft(Struct, frozen=True):
    """An MPIJob as written, one field each for the wire's; None where nothing was said.

    `replicas` is keyed as on the wire: `Launcher`, `Worker`, and whatever else a user wrote.
    `problems` are those that were found where an older version was read.
    """

    identity: Identity
    replicas: Mapping[str, ReplicaDraft] | None = None
    slots_per_worker: int | None = None
    run_launcher_as_worker: bool | None = None
    clean_pods: str | None = None
    ttl_s: int | None = None
    active_deadline_s: int | None = None
    backoff_limit: int | None = None
    scheduling: SchedulingPolicy | None = None
    suspended: bool | None = None
    managed_by: str | None = None
    ssh_auth_mount_path: str | None = None
    launcher_start: str | None = None
    flavour: str | None = None
    main_container: str | None = None
    status: JobStatus = JobStatus()
    problems: tuple[Problem, ...] = ()

    @property
    def worker_count(self) -> int:
        """How many workers the job asks for; 0 where it has none."""
        worker = (self.replicas or {}).get(WORKER)
        return (worker.count or 0) if worker else 0


def state(job: Draft | Rejected) -> str:
    """Return the one word for where a job is in its life, be it read whole or not."""
    named = job.status.naming_condition
    if named is not None:
        return named.value
    if isinstance(job, Rejected):
        return ConditionType.INVALID.value
    return ConditionType.SUSPENDED.value if job.suspended else PENDING


def settled(draft: Draft) -> MPIJob:
    """Return the job that a sound draft means: no problem in it, and its defaults in place.

    Any launcher start but `AtStartup` waits for the workers, as mpi-operator has it, and a
    relative ssh path counts from the root, as the kubelet has it.

    Raises:
        ValueError: The draft is not sound or lacks its defaults, which is a bug of the caller.

    """
    replicas = draft.replicas or {}
    launcher = replicas.get(LAUNCHER)
    if launcher is None:
        raise ValueError("a draft without a launcher is no job")
    worker = replicas.get(WORKER)
    return MPIJob(
        identity=draft.identity,
        launcher=_replica(launcher),
        worker=None if worker is None else _replica(worker),
        slots_per_worker=draft.slots_per_worker or 0,
        run_launcher_as_worker=draft.run_launcher_as_worker or False,
        run_policy=RunPolicy(
            clean_pods=CleanPodPolicy(draft.clean_pods or ""),
            ttl_s=draft.ttl_s,
            active_deadline_s=draft.active_deadline_s,
            backoff_limit=draft.backoff_limit,
            scheduling=draft.scheduling,
            suspended=draft.suspended or False,
            managed_by=draft.managed_by,
        ),
        ssh_auth_mount_path="/" + (draft.ssh_auth_mount_path or "").lstrip("/"),
        launcher_start=_launcher_start(draft.launcher_start),
        flavour=Flavour(draft.flavour or ""),
        main_container=draft.main_container or "",
        status=draft.status,
    )


def _replica(replica: ReplicaDraft) -> Replica:
    """Return one role of a sound draft."""
    restart_policy = RestartPolicy(replica.restart_policy or "")
    return Replica(replica.count or 0, restart_policy, replica.template)


def _launcher_start(written: str | None) -> LauncherStart:
    """Return when the launcher starts; mpi-operator tells only `AtStartup` from all else."""
    at_startup = written == LauncherStart.AT_STARTUP.value
    return LauncherStart.AT_STARTUP if at_startup else LauncherStart.WHEN_WORKERS_READY
