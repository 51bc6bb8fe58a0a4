"""From the children that a job should have and those that are seen: the steps in between.

Every function here yields steps for one kind of child and asks nothing about the job's phase:
`reconcile` knows that, and calls those that the phase calls for.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from mpijob.core import build, names
from mpijob.core.config import Config
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.observed import (
    Child,
    ConfigView,
    LauncherView,
    Observed,
    PodPhase,
    PodView,
    SecretView,
)
from mpijob.core.plan import Create, Delete, Kind, MintSecret, Patch, SecretContent, Step
from mpijob.core.policy import retry
from mpijob.core.policy.clean_pods import goes
from mpijob.core.policy.elastic import elastic
from mpijob.core.transport import Setup


def service(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield what brings the Service to what it should be: only the fields that are ours."""
    seen = observed.service
    if seen is None:
        ref = names.ref(job, Kind.SERVICE, names.service(job.name))
        yield Create(ref, build.service(job))
    elif seen.selector != names.selector(job) or not seen.publishes_not_ready:
        spec = build.service(job)["spec"]
        fields = {
            "selector": _replacing(seen.selector, spec["selector"]),
            "publishNotReadyAddresses": spec["publishNotReadyAddresses"],
        }
        yield _patch(job, Kind.SERVICE, seen, {"spec": fields})


def config(job: MPIJob, observed: Observed, setup: Setup, settings: Config) -> Iterator[Step]:
    """Yield what brings the ConfigMap to what it should be.

    `discover_hosts.sh` follows every change for elastic jobs. Nobody else reads it while workers
    come up, and there it is written once, when the last of them runs: a job of n workers costs
    one write, not n.
    """
    seen = observed.config
    running = [p.name for p in retry.wanted_workers(job, observed) if _runs(p)]
    if seen is None:
        ref = names.ref(job, Kind.CONFIG_MAP, names.config(job.name))
        yield Create(ref, build.config(job, running, settings, setup))
        return
    data = dict(build.config_data(job, running, settings, setup))
    if len(running) < job.worker_count and not elastic(job):
        data[names.DISCOVER_HOSTS] = seen.data.get(names.DISCOVER_HOSTS, data[names.DISCOVER_HOSTS])
    if seen.data != data:
        want = build.config(job, running, settings, setup)
        yield _patch(job, Kind.CONFIG_MAP, seen, _config_fields(seen, want, data))


def _config_fields(seen: ConfigView, want: Manifest, data: Mapping[str, str]) -> Manifest:
    annotations = want["metadata"].get("annotations", {})
    fields: dict[str, object] = {"data": _replacing(seen.data, data)}
    if any(seen.annotations.get(key) != value for key, value in annotations.items()):
        fields["metadata"] = {"annotations": dict(annotations)}
    return fields


def rights(job: MPIJob, observed: Observed, setup: Setup) -> Iterator[Step]:
    """Yield what lets the launcher execute in its workers, where ranks are started so."""
    if setup is not Setup.EXEC:
        return
    name = names.launcher(job.name)
    if observed.account is None and build.own_account(job):
        yield Create(names.ref(job, Kind.SERVICE_ACCOUNT, name), build.account(job))
    seen = observed.role
    if seen is None:
        yield Create(names.ref(job, Kind.ROLE, name), build.role(job))
    elif list(seen.rules) != (rules := build.rules(job)):
        yield _patch(job, Kind.ROLE, seen, {"rules": rules})
    bound = observed.role_binding
    if bound is None:
        yield Create(names.ref(job, Kind.ROLE_BINDING, name), build.role_binding(job))
    elif bound.accounts != (build.account_name(job),):
        subjects = build.role_binding(job)["subjects"]
        yield _patch(job, Kind.ROLE_BINDING, bound, {"subjects": subjects})


def secrets(job: MPIJob, observed: Observed, setup: Setup) -> Iterator[Step]:
    """Yield the minting of the ssh keys that are not there, or not whole."""
    if setup is Setup.EXEC:
        return
    if not _is_whole(observed.secret, build.USER_KEY_NAMES):
        yield _mint(job, observed.secret, SecretContent.USER_KEYS, build.user_secret(job))
    if setup.is_ours and not _is_whole(observed.host_keys, build.HOST_KEY_NAMES):
        yield _mint(job, observed.host_keys, SecretContent.HOST_KEYS, build.host_key_secret(job))


def _is_whole(seen: SecretView | None, keys: frozenset[str]) -> bool:
    return seen is not None and seen.keys == keys


def _mint(
    job: MPIJob, seen: SecretView | None, content: SecretContent, manifest: Manifest
) -> MintSecret:
    ref = names.ref(job, Kind.SECRET, manifest["metadata"]["name"])
    return MintSecret(ref, content, manifest, replaces=seen.uid if seen is not None else "")


def pod_group(job: MPIJob, observed: Observed, settings: Config) -> Iterator[Step]:
    """Yield what brings the gang scheduler's PodGroup to what it should be."""
    want = build.pod_group(job, settings, observed.priorities)
    seen = observed.pod_group
    if want is None:
        return
    if seen is None:
        yield Create(names.ref(job, Kind.POD_GROUP, names.pod_group(job.name)), want)
    elif fields := build.pod_group_correction(want, seen.spec):
        yield _patch(job, Kind.POD_GROUP, seen, fields)


def missing_workers(
    job: MPIJob, observed: Observed, setup: Setup, settings: Config
) -> Iterator[Step]:
    """Yield the creation of every wanted worker under whose name nothing stands."""
    there = {pod.name for pod in observed.workers}
    wanted = names.workers(job.name, job.worker_count)
    missing = [index for name, index in wanted.items() if name not in there]
    for manifest in build.workers(job, missing, settings, setup):
        yield Create(names.ref(job, Kind.POD, manifest["metadata"]["name"]), manifest)


def surplus_workers(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the deletion of the job's workers beyond those wanted, told by their names."""
    uid, wanted = job.uid, names.workers(job.name, job.worker_count)
    for pod in observed.workers:
        if pod.name not in wanted and pod.owner_uid == uid and not pod.deleting:
            yield _delete(job, Kind.POD, pod)


def fallen_workers(job: MPIJob, observed: Observed, now: datetime) -> Iterator[Step]:
    """Yield the deletion of dead workers, whose successors then come under the same names.

    An elastic job's dead workers rest for a while first.
    """
    for pod in retry.dead_workers(job, observed):
        rests_until = retry.rests_until(pod) if elastic(job) else None
        if not pod.deleting and (rests_until is None or now >= rests_until):
            yield _delete(job, Kind.POD, pod)


def launcher(job: MPIJob, observed: Observed, setup: Setup, settings: Config) -> Iterator[Step]:
    """Yield the launcher's start: its Job made, or let go on where it was held.

    A Job that was held goes on only once its pod has been stopped: the pod would outlive its
    workers, and the server refuses new scheduling directives. And it must lose the start time of
    its former run first, or they are refused again; the next look then lets it go on.
    """
    seen = observed.launcher
    if seen is None:
        ref = names.ref(job, Kind.JOB, names.launcher(job.name))
        yield Create(ref, build.launcher(job, settings, setup, suspended=False))
    elif seen.suspended and (seen.active_count or _is_up(observed.launcher_pods)):
        return
    elif seen.suspended and seen.started_at is not None:
        yield _patch(job, Kind.JOB, seen, {"status": {"startTime": None}}, subresource="status")
    elif seen.suspended:
        template = build.scheduling_directives(job, settings, setup, seen.node_selector)
        yield _patch(job, Kind.JOB, seen, {"spec": {"suspend": False, "template": template}})


def held_launcher(
    job: MPIJob, observed: Observed, setup: Setup, settings: Config
) -> Iterator[Step]:
    """Yield what keeps the launcher from running: its Job made suspended, or suspended now."""
    if observed.launcher is None:
        ref = names.ref(job, Kind.JOB, names.launcher(job.name))
        yield Create(ref, build.launcher(job, settings, setup, suspended=True))
    else:
        yield from stopped_launcher(job, observed)


def stopped_launcher(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the suspension of a launcher that could still run; one that has ended is left alone."""
    seen = observed.launcher
    if seen is None or seen.owner_uid != job.uid or seen.suspended or seen.end is not None:
        return
    if seen.kind is Kind.POD:
        yield from _deletions(job, seen.kind, (seen,))
    else:
        yield _patch(job, seen.kind, seen, {"spec": {"suspend": True}})


def all_workers(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the deletion of every worker that the job owns."""
    yield from _deletions(job, Kind.POD, observed.workers)


def cleaned_workers(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the deletion of those workers that the clean-up policy does not keep."""
    policy = job.run_policy.clean_pods
    yield from _deletions(job, Kind.POD, (pod for pod in observed.workers if goes(policy, pod)))


def pod_group_gone(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the deletion of the gang scheduler's PodGroup."""
    yield from _deletions(job, Kind.POD_GROUP, (observed.pod_group,))


def everything(job: MPIJob, observed: Observed) -> Iterator[Step]:
    """Yield the deletion of all that the job owns, the launcher and its pods included."""
    if observed.launcher is not None:
        yield from _deletions(job, observed.launcher.kind, (observed.launcher,))
    yield from _deletions(job, Kind.POD, observed.workers)
    yield from _deletions(job, Kind.POD_GROUP, (observed.pod_group,))
    yield from _deletions(job, Kind.SECRET, (observed.secret, observed.host_keys))
    yield from _deletions(job, Kind.CONFIG_MAP, (observed.config,))
    yield from _deletions(job, Kind.ROLE_BINDING, (observed.role_binding,))
    yield from _deletions(job, Kind.ROLE, (observed.role,))
    yield from _deletions(job, Kind.SERVICE_ACCOUNT, (observed.account,))
    yield from _deletions(job, Kind.SERVICE, (observed.service,))


def _deletions(job: MPIJob, kind: Kind, children: Iterable[Child | None]) -> Iterator[Step]:
    for child in children:
        leaving = isinstance(child, PodView | LauncherView) and child.deleting
        if child is not None and child.owner_uid == job.uid and not leaving:
            yield _delete(job, kind, child)


def _delete(job: MPIJob, kind: Kind, child: Child) -> Delete:
    return Delete(names.ref(job, kind, child.name), child.uid)


def _patch(job: MPIJob, kind: Kind, child: Child, fields: Manifest, subresource: str = "") -> Patch:
    return Patch(names.ref(job, kind, child.name), child.version, fields, subresource)


def _replacing(seen: Mapping[str, str], want: Mapping[str, str]) -> dict[str, str | None]:
    """Return the merge patch that makes a mapping equal to `want`: what is not in it goes."""
    return {**dict.fromkeys(seen, None), **want}


def _is_up(pods: Iterable[PodView]) -> bool:
    """Say whether one of the launcher's pods has neither ended nor been told to."""
    ended = (PodPhase.SUCCEEDED, PodPhase.FAILED)
    return any(pod.phase not in ended and not pod.deleting for pod in pods)


def _runs(pod: PodView) -> bool:
    return pod.phase is PodPhase.RUNNING and not pod.deleting
