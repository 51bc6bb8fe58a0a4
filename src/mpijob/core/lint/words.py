"""Misspelled and misplaced words: fields, roles, values, and options of ours."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from mpijob.core import options
from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.finding import Finding, error, warning
from mpijob.core.job import LauncherStart
from mpijob.core.lint.hints import closest, did_you_mean

#: Where fields belong that people write elsewhere, mostly after older versions of MPIJob.
_MOVED = {
    "activeDeadlineSeconds": "spec.runPolicy.activeDeadlineSeconds",
    "backoffLimit": "spec.runPolicy.backoffLimit",
    "cleanPodPolicy": "spec.runPolicy.cleanPodPolicy",
    "gpus": "the worker's resources.limits, as nvidia.com/gpu",
    "gpusPerNode": "the worker's resources.limits, as nvidia.com/gpu",
    "launcherOnMaster": "the launcher's nodeSelector and tolerations",
    "mainContainer": "the first place among the containers",
    "managedBy": "spec.runPolicy.managedBy",
    "minAvailable": "spec.runPolicy.schedulingPolicy.minAvailable",
    "mpiDistribution": "spec.mpiImplementation",
    "processingUnits": "the worker's resources.limits",
    "processingUnitsPerNode": "the worker's resources.limits",
    "queue": "spec.runPolicy.schedulingPolicy.queue",
    "replicas": "spec.mpiReplicaSpecs[Worker].replicas",
    "restartPolicy": "spec.mpiReplicaSpecs[Launcher].restartPolicy",
    "schedulingPolicy": "spec.runPolicy.schedulingPolicy",
    "slotsPerWorker": "spec.slotsPerWorker",
    "sshAuthMountPath": "spec.sshAuthMountPath",
    "suspend": "spec.runPolicy.suspend",
    "template": "spec.mpiReplicaSpecs[Worker].template",
    "ttlSecondsAfterFinished": "spec.runPolicy.ttlSecondsAfterFinished",
}


class UnknownField(Protocol):
    """A field that was written and that nobody knows, and the names that are known there."""

    @property
    def path(self) -> str:
        """Where it stands."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def known(self) -> tuple[str, ...]:
        """The names that its place knows."""


def unknown_findings(unknown: Iterable[UnknownField]) -> Iterator[Finding]:
    """Yield a finding for each unknown field: an error where it is a known one misspelled.

    kubectl refuses them all; a server drops them without a word. A field that is like no other
    may be one of a newer Kubernetes, so that it is a warning.
    """
    for field in unknown:
        close = closest(field.name, field.known)
        moved = _MOVED.get(field.name)
        if close:
            yield error(field.path, "there is no such field", f'Did you mean "{close}"?')
        elif moved == field.path:
            yield error(field.path, "there is no such field in this version")
        elif moved:
            yield error(field.path, "there is no such field here", f"It belongs into {moved}.")
        else:
            yield warning(field.path, "nobody knows this field, and a cluster drops it")


def word_findings(draft: Draft) -> Iterator[Finding]:
    """Yield what is odd about a job's own words, though none of them keeps it from running."""
    for role in draft.replicas or {}:
        if role not in (LAUNCHER, WORKER):
            yield _unknown_role(role)
    starts = tuple(start.value for start in LauncherStart)
    if draft.launcher_start is not None and draft.launcher_start not in starts:
        yield warning(
            "spec.launcherCreationPolicy",
            f'"{draft.launcher_start}" is no {starts[0]}, and so means {starts[1]}',
            did_you_mean(draft.launcher_start, starts),
        )
    path = draft.ssh_auth_mount_path
    if path and not path.startswith("/"):
        message = f'"{path}" counts from the root: /{path}'
        yield warning("spec.sshAuthMountPath", message, "Begin the path with /.")
    if draft.slots_per_worker == 0:
        yield warning("spec.slotsPerWorker", "workers without slots take no ranks")
    yield from _gang_findings(draft)
    yield from _option_findings(draft)


def _unknown_role(role: str) -> Finding:
    """Return the finding of a role that nobody reads."""
    field = f"spec.mpiReplicaSpecs[{role}]"
    message = "there is no such role, so nobody starts it"
    if close := closest(role, (LAUNCHER, WORKER)):
        return error(field, message, f'Did you mean "{close}"?')
    return warning(field, message, f"The roles are {LAUNCHER} and {WORKER}.")


def _gang_findings(draft: Draft) -> Iterator[Finding]:
    """Yield what keeps a gang from ever being placed, or from being one."""
    least = draft.scheduling.min_available if draft.scheduling is not None else None
    if least is None:
        return
    worker = (draft.replicas or {}).get(WORKER)
    pods = 1 + (worker.count or 0 if worker is not None else 0)
    field = "spec.runPolicy.schedulingPolicy.minAvailable"
    if least == 0:
        yield warning(field, "a gang of 0 waits for nobody", "Leave it out for all pods.")
    elif least > pods:
        message = f"{least} pods are waited for, and the job has {pods}: none is ever placed"
        yield warning(field, message, f"{pods} at most; leave it out for all pods.")


def _option_findings(draft: Draft) -> Iterator[Finding]:
    """Yield annotations that look like options of ours and are none, or say nothing."""
    for key, value in draft.identity.annotations.items():
        if not key.startswith(options.PREFIX):
            continue
        field = f"metadata.annotations[{key}]"
        if key not in options.ALL:
            yield warning(field, "there is no such option", did_you_mean(key, options.ALL))
        elif value not in (choice := options.CHOICES.get(key, (value,))):
            words = " or ".join(f'"{word}"' for word in choice)
            yield warning(field, f'"{value}" says nothing: {words}')
