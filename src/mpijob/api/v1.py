"""kubeflow.org/v1: what its spec means.

It is two operators' version: mpi-operator's up to v0.3, and the training-operator's, whose fields
are the former's and more. What the former let stand without reading it (`runPolicy`) is read.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from mpijob.api.wire import RunPolicyWire, SpecWire, idling, roles_of, scheduling_of
from mpijob.core import options
from mpijob.core.draft import LAUNCHER, WORKER, Draft, ReplicaDraft
from mpijob.core.job import Identity, Problem
from mpijob.core.lint.launches import launches
from mpijob.core.lint.templates import main_container, variables
from mpijob.core.status import JobStatus
from mpijob.core.validate import CLEAN_POD_POLICIES, unsupported

#: A variable that Flyte's backend gives to every container of a task, and nobody else does.
FLYTE_VARIABLE = "FLYTE_INTERNAL_EXECUTION_ID"


def draft(spec: SpecWire, identity: Identity, status: JobStatus) -> Draft:
    """Return the draft of a job that was written in v1.

    Of two policies for its pods that of `runPolicy` counts. A launcher with GPUs runs ranks. A
    worker without a command idles, but for one of a job by ssh that has arguments of its own.

    Source: `setDefaultsMPIJob` and `isGPULauncher`, training-operator v1.9
    (pkg/apis/kubeflow.org/v1, pkg/controller.v1/mpi).
    """
    policy = spec.run_policy or RunPolicyWire()
    roles = roles_of(spec)
    if not _brings_an_sshd(roles, identity):
        roles = idling(roles)
    clean_pods, problems = _clean_pods(policy.clean_pod_policy, spec.clean_pod_policy)
    written = Draft(
        identity=identity,
        replicas=roles,
        slots_per_worker=spec.slots_per_worker,
        run_launcher_as_worker=_has_gpus((roles or {}).get(LAUNCHER)) or None,
        clean_pods=clean_pods,
        ttl_s=policy.ttl_seconds_after_finished,
        active_deadline_s=policy.active_deadline_seconds,
        backoff_limit=policy.backoff_limit,
        scheduling=scheduling_of(policy.scheduling_policy),
        suspended=policy.suspend,
        managed_by=policy.managed_by,
        main_container=spec.main_container,
        status=status,
        problems=problems,
    )
    slots = _slots_of_flyte(written)
    return written if slots is None else replace(written, slots_per_worker=slots)


def _brings_an_sshd(roles: Mapping[str, ReplicaDraft] | None, identity: Identity) -> bool:
    """Say whether the worker's arguments, which are not the launcher's, start what ssh reaches.

    Flyte's backend writes a role's `command` there: `Worker(command=["/usr/sbin/sshd", "-De"])`.
    """
    if options.execs(identity.annotations) is not False:
        return False
    arguments = [_arguments((roles or {}).get(role)) for role in (WORKER, LAUNCHER)]
    return bool(arguments[0]) and arguments[0] != arguments[1]


def _arguments(role: ReplicaDraft | None) -> Any:
    pod = (role.template.get("spec") or {}) if role else {}
    return next((container.get("args") for container in pod.get("containers") or ()), None)


def _slots_of_flyte(draft: Draft) -> int | None:
    """Return the slots that the command line of a task of Flyte's counts on, None as written.

    Flyte's backend says 1 whatever the task says, while the command line asks for `workers × slots`
    ranks: Open MPI would find too few slots, and start none.

    Source: `BuildResource`, flyteplugins (go/tasks/plugins/k8s/kfoperators/mpi/mpi.go).
    """
    launcher, worker = main_container(draft, LAUNCHER), (draft.replicas or {}).get(WORKER)
    if draft.slots_per_worker not in (None, 1) or launcher is None or worker is None:
        return None
    if FLYTE_VARIABLE not in variables(launcher) or not worker.count or worker.count < 1:
        return None
    lines = launches(launcher)
    ranks = lines[0].rank_count if len(lines) == 1 else None
    return ranks // worker.count if ranks and ranks % worker.count == 0 else None


def _clean_pods(chosen: str | None, own: str | None) -> tuple[str | None, tuple[Problem, ...]]:
    """Return the policy that counts, and what is wrong with the one beside `runPolicy`."""
    if chosen or not own or own in CLEAN_POD_POLICIES:
        return chosen or own, ()
    return None, (unsupported("spec.cleanPodPolicy", own, CLEAN_POD_POLICIES),)


def _has_gpus(launcher: ReplicaDraft | None) -> bool:
    """Say whether a launcher has a limit for GPUs, whoever made them."""
    pod = (launcher.template.get("spec") or {}) if launcher else {}
    limits = [(c.get("resources") or {}).get("limits") for c in pod.get("containers") or ()]
    names = [name for limit in limits if isinstance(limit, dict) for name in limit]
    return any(name.endswith(".com/gpu") or "gpu" in name for name in names)
