"""A job file of one version as one of another, and what the other cannot say.

What is lost is not looked up but measured: the new file is read again, and the two jobs compared.
An annotation holds the file as it was, so that the way back gives just that, unless the new one was
edited in between.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from mpijob.api import versions
from mpijob.api.v1alpha2 import NAMES
from mpijob.core import options
from mpijob.core.job import Manifest, MPIJob, Rejected, Replica
from mpijob.core.version import Version

#: `backoffLimit` of a batch/v1 Job that does not say.
_KUBERNETES_RETRIES = 6
_METADATA = ("name", "generateName", "namespace", "labels", "annotations")


def _pod(replica: Replica) -> Manifest:
    """Return a template as it is meant: its own word on starting again never counts."""
    spec = {k: v for k, v in replica.template["spec"].items() if k != "restartPolicy"}
    return {**replica.template, "spec": spec}


def _retries(job: MPIJob) -> int:
    """Return how often a launcher is tried again, which Kubernetes says where the job does not."""
    limit = job.run_policy.backoff_limit
    return _KUBERNETES_RETRIES if limit is None else limit


def _manager(job: MPIJob) -> str | None:
    """Return who looks after a job: None for the operator, by whichever name its version has."""
    named = job.run_policy.managed_by
    return None if named in job.ways.managers[:1] else named


#: What a job means, in words, and where that stands.
_MEANINGS: Mapping[str, Callable[[MPIJob], object]] = {
    "the launcher's pod": lambda job: _pod(job.launcher),
    "the workers' pods": lambda job: job.worker and _pod(job.worker),
    "how many workers": lambda job: job.worker_count,
    "when the launcher starts again": lambda job: job.launcher.restart_policy.value,
    "when workers start again": lambda job: job.worker and job.worker.restart_policy.value,
    "slots a worker": lambda job: job.slots_per_worker,
    "whether the launcher runs ranks": lambda job: job.run_launcher_as_worker,
    "which pods go at the end": lambda job: job.run_policy.clean_pods.value,
    "the time to live": lambda job: job.run_policy.ttl_s,
    "the deadline": lambda job: job.run_policy.active_deadline_s,
    "how often it is tried again": _retries,
    "gang scheduling": lambda job: job.run_policy.scheduling,
    "whether it is suspended": lambda job: job.run_policy.suspended,
    "who looks after it": _manager,
    "where the ssh keys are": lambda job: job.ssh_auth_mount_path,
    "when the launcher starts": lambda job: job.launcher_start.value,
    "the MPI implementation": lambda job: job.flavour.value,
    "the main container": lambda job: job.main_container,
    "how ranks are started": lambda job: "kubectl exec" if job.ways.execs else "ssh",
}


class Converted(Struct, frozen=True):
    """The file in another version, and what it says otherwise, a line each."""

    manifest: Manifest
    lost: tuple[str, ...] = ()


def converted(manifest: Manifest, to: Version) -> Converted | Rejected:
    """Return a job file in version `to`, or why it is no sound job."""
    job = versions.job(manifest)
    if isinstance(job, Rejected):
        return job
    if job.identity.written_in is to:
        return Converted(manifest)
    spec = _before(manifest, to)
    if spec is not None:
        return Converted(_file(manifest, to, spec, keeps=None))
    made = _file(manifest, to, _spec(job, to), keeps=manifest)
    return Converted(made, tuple(_differences(job, versions.job(made), to)))


def _differences(was: MPIJob, now: MPIJob | Rejected, to: Version) -> list[str]:
    if isinstance(now, Rejected):
        return [f"{to.value} does not allow it: {problem}" for problem in now.problems]
    return [
        f"{name}: {_shown(meaning(was))}, where {to.value} has {_shown(meaning(now))}"
        for name, meaning in _MEANINGS.items()
        if meaning(was) != meaning(now)
    ]


def _shown(value: object) -> str:
    return "another" if isinstance(value, Mapping) else "nothing" if value is None else str(value)


def _before(manifest: Manifest, to: Version) -> Manifest | None:
    """Return the spec that a file was made of, where it was made of one of version `to`.

    None where it was not, or where it has been edited since.
    """
    kept = (manifest["metadata"].get("annotations") or {}).get(options.CONVERTED_FROM, "")
    try:
        source = json.loads(kept)
        before = {
            **source,
            "kind": versions.KIND,
            "metadata": {"name": manifest["metadata"]["name"]},
        }
        job = versions.job(before)
        version = versions.API_VERSIONS[manifest["apiVersion"]]
    except (ValueError, TypeError, KeyError):
        return None
    if isinstance(job, Rejected) or job.identity.written_in is not to:
        return None
    unedited = _spec(job, version) == manifest["spec"]
    return before["spec"] if unedited else None


def _file(manifest: Manifest, to: Version, spec: Manifest, keeps: Manifest | None) -> Manifest:
    """Return the file of a spec; in an annotation it keeps the one that it was made of."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key in _METADATA}
    ours = (options.WRITTEN_IN, options.CONVERTED_FROM)
    given = (metadata.pop("annotations", None) or {}).items()
    annotations = {key: value for key, value in given if key not in ours}
    if keeps is not None:
        source = {"apiVersion": keeps["apiVersion"], "spec": keeps["spec"]}
        annotations[options.CONVERTED_FROM] = json.dumps(source, separators=(",", ":"))
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": to.api_version, "kind": versions.KIND, "metadata": metadata, "spec": spec}


def _spec(job: MPIJob, to: Version) -> Manifest:
    """Return the spec that says of a job what version `to` can say."""
    policy = job.run_policy
    match to:
        case Version.V1ALPHA1:
            return _v1alpha1(job)
        case Version.V1ALPHA2:
            return _said(
                slotsPerWorker=job.slots_per_worker,
                cleanPodPolicy=policy.clean_pods.value,
                backoffLimit=policy.backoff_limit,
                activeDeadlineSeconds=policy.active_deadline_s,
                mainContainer=job.main_container or None,
                mpiDistribution=NAMES[job.flavour],
                mpiReplicaSpecs=_roles(job, restarts=True),
            )
        case Version.V1:
            return _said(
                slotsPerWorker=job.slots_per_worker,
                mainContainer=job.main_container or None,
                runPolicy=_run_policy(job, to),
                mpiReplicaSpecs=_roles(job, restarts=True),
            )
        case Version.V2BETA1:
            return _said(
                slotsPerWorker=job.slots_per_worker,
                runLauncherAsWorker=job.run_launcher_as_worker or None,
                runPolicy=_run_policy(job, to),
                sshAuthMountPath=job.ssh_auth_mount_path,
                launcherCreationPolicy=job.launcher_start.value,
                mpiImplementation=job.flavour.value,
                mpiReplicaSpecs=_roles(job, restarts=False),
            )


def _v1alpha1(job: MPIJob) -> Manifest:
    """Return a spec of the launcher's template alone, with what a worker is limited to."""
    first, *others = job.launcher.template["spec"]["containers"]
    limits = job.worker.template["spec"]["containers"][0].get("resources") if job.worker else None
    container = {**first, **({"resources": limits} if limits else {})}
    pod = {**job.launcher.template["spec"], "containers": [container, *others]}
    pod["restartPolicy"] = job.launcher.restart_policy.value
    return _said(
        replicas=max(job.worker_count, 1),
        slotsPerWorker=job.slots_per_worker or None,
        backoffLimit=job.run_policy.backoff_limit,
        activeDeadlineSeconds=job.run_policy.active_deadline_s,
        template={**job.launcher.template, "spec": pod},
    )


def _roles(job: MPIJob, *, restarts: bool) -> Manifest:
    """Return both roles; `restarts` says whether a worker's containers may always start again."""

    def role(replica: Replica) -> Manifest:
        policy = replica.restart_policy.value
        policy = policy if restarts or policy != "Always" else "OnFailure"
        return {
            "replicas": replica.count,
            "restartPolicy": policy,
            "template": replica.template,
        }

    worker = {"Worker": role(job.worker)} if job.worker else {}
    return {"Launcher": role(job.launcher), **worker}


def _run_policy(job: MPIJob, to: Version) -> Manifest:
    policy, gang = job.run_policy, job.run_policy.scheduling
    managers = dict(zip(job.ways.managers, to.ways.managers, strict=False))
    return _said(
        cleanPodPolicy=policy.clean_pods.value,
        ttlSecondsAfterFinished=policy.ttl_s,
        activeDeadlineSeconds=policy.active_deadline_s,
        # v1 tries once where nothing is said, unless the launcher starts again on failure.
        backoffLimit=_retries(job) if to is Version.V1 else policy.backoff_limit,
        schedulingPolicy=gang
        and _said(
            minAvailable=gang.min_available,
            queue=gang.queue,
            minResources=gang.min_resources,
            priorityClass=gang.priority_class,
            scheduleTimeoutSeconds=gang.schedule_timeout_s,
        ),
        suspend=policy.suspended or None,
        managedBy=managers.get(policy.managed_by or ""),
    )


def _said(**fields: Any) -> dict[str, Any]:
    """Return the fields of which something is said."""
    return {name: value for name, value in fields.items() if value is not None}
