"""Worlds, built in one call each: a job, its children as they are when all is well, and changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from mpijob.core import build, names
from mpijob.core.config import Config
from mpijob.core.job import Identity, Key, MPIJob, Replica, RestartPolicy, RunPolicy
from mpijob.core.observed import (
    ConfigView,
    ContainerView,
    LauncherView,
    Observed,
    PodPhase,
    PodView,
    SecretView,
    ServiceView,
)
from mpijob.core.policy.retry import wanted_workers
from mpijob.core.transport import setup

#: The hour at which these worlds begin.
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UID = "job-uid"
LAUNCHER_UID = "launcher-uid"
CONFIG = Config()


def seconds_later(count: float) -> datetime:
    """Return the moment `count` seconds after noon."""
    return NOON + timedelta(seconds=count)


def job(workers: int = 2, run_policy: RunPolicy | None = None, **changes: Any) -> MPIJob:
    """Return a valid job named default/pi with so many workers, changed as told.

    `annotations` goes to the identity; every other keyword is a field of `MPIJob`.
    """
    annotations = changes.pop("annotations", {})
    container = {"name": "mpi", "image": "example/mpi:1"}
    command = {"command": ["mpirun", "-n", "2", "hostname"]}
    launcher = Replica(1, RestartPolicy.ON_FAILURE, _template({**container, **command}))
    worker = Replica(workers, RestartPolicy.NEVER, _template(container)) if workers else None
    made = MPIJob(
        identity=Identity(Key("default", "pi"), UID, "7", annotations=annotations),
        launcher=launcher,
        worker=worker,
        run_policy=run_policy or RunPolicy(),
    )
    return replace(made, **changes)


def _template(container: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": [container]}}


def worker(number: int, phase: PodPhase = PodPhase.RUNNING, **changes: Any) -> PodView:
    """Return the view of the worker numbered so (0-based), ready where it runs."""
    name = names.worker("pi", number)
    ready = phase is PodPhase.RUNNING
    view = PodView(name, f"{name}-uid", UID, "3", phase=phase, ready=ready, node="n1", index=number)
    return replace(view, **changes)


def launcher_pod(phase: PodPhase = PodPhase.RUNNING, **changes: Any) -> PodView:
    """Return the view of the launcher's pod."""
    pod = PodView(
        "pi-launcher-x1", "pod-uid", LAUNCHER_UID, "4", phase=phase, node="n1", created_at=NOON
    )
    return replace(pod, ready=phase is PodPhase.RUNNING, **changes)


def ended(exit_code: int, reason: str = "Error", message: str = "") -> tuple[ContainerView, ...]:
    """Return the one container of a pod that has ended so, at noon."""
    return (
        ContainerView(
            "mpi",
            exit_code=exit_code,
            ended_reason=reason,
            ended_message=message,
            ended_at=NOON,
        ),
    )


def launcher(**changes: Any) -> LauncherView:
    """Return the view of the launcher's Job: started at noon, running."""
    view = LauncherView("pi-launcher", LAUNCHER_UID, UID, "5", started_at=NOON, active_count=1)
    return replace(view, **changes)


def fresh(of: MPIJob) -> Observed:
    """Return the world in which a job has just been made: there is nothing else yet."""
    return Observed(of)


def plumbed(of: MPIJob, *, config: Config = CONFIG, **changes: Any) -> Observed:
    """Return a job's world with its Service, ConfigMap and Secrets as they should be.

    Keywords are fields of `Observed`: `workers=`, `launcher=` and so on.
    """
    chosen = setup(of, config, None)
    world = replace(Observed(of), **changes)
    running = [p.name for p in wanted_workers(of, world) if p.phase is PodPhase.RUNNING]
    made = build.config(of, running, config, chosen)
    annotations = made["metadata"].get("annotations", {})
    return replace(
        Observed(
            of,
            service=ServiceView(of.name, "s", UID, "1", names.selector(of), True),
            config=ConfigView(
                names.config(of.name), "c", UID, "1", dict(made["data"]), dict(annotations)
            ),
            secret=SecretView(names.secret(of.name), "k", UID, "1", build.USER_KEY_NAMES),
            host_keys=SecretView(names.host_keys(of.name), "h", UID, "1", build.HOST_KEY_NAMES),
        ),
        **changes,
    )


def running(of: MPIJob, **changes: Any) -> Observed:
    """Return the world of a job that runs as it should."""
    workers = tuple(worker(index) for index in range(of.worker_count))
    usual: dict[str, Any] = {
        "workers": workers,
        "launcher": launcher(),
        "launcher_pods": (launcher_pod(),),
    }
    return plumbed(of, **(usual | changes))
