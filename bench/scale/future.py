"""What the floor knows beforehand of a job: its objects, and its three statuses, as texts.

They are those that the operator's own decision makes for the job, so that both ask the same of the
server. What is not known before a job is there stands in them as a word to be replaced.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from mpijob.api import versions
from mpijob.core import names
from mpijob.core.config import Config
from mpijob.core.job import Key, Manifest, MPIJob, Rejected
from mpijob.core.observed import End, LauncherView, Observed, PodPhase, PodView
from mpijob.core.plan import Create, Kind, MintSecret, Ref, SecretContent
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.status import JobStatus
from mpijob.keys import DrawnKeys
from mpijob.kube.resources import Paths

#: Words that stand for what is known only once a job is there.
NAMESPACE, NAME, UID = "x0namespace0x", "x0name0x", "x0uid0x"


class Object(msgspec.Struct):
    """An object to make: the collection that it goes to, and its text."""

    path: str
    text: str


class Future(msgspec.Struct):
    """All that will be asked of the server for one job.

    `statuses` is what is patched into its status: when it is there, runs, and has succeeded.
    `workers` are the paths of its workers, which go at the end.
    """

    job: str
    statuses: list[str]
    objects: list[Object]
    workers: list[str]


async def future(manifest: Manifest) -> Future:
    """Return what will become of a job like `manifest`, whatever it is called."""
    named = {"name": NAME, "namespace": NAMESPACE, "uid": UID}
    job = versions.job({**manifest, "metadata": {**manifest["metadata"], **named}})
    if isinstance(job, Rejected):
        raise TypeError(f"this job is none: {job.problems}")
    paths = Paths()
    keys = {content: await _drawn(content, job) for content in SecretContent}
    return Future(
        job=paths.object(names.job_ref(job.identity)),
        statuses=[
            msgspec.json.encode({"status": versions.encode_status(status)}).decode()
            for status in _statuses(job)
        ],
        objects=[
            Object(
                paths.new(made),
                msgspec.json.encode(made).decode(),
            )
            for made in _objects(job, keys)
        ],
        workers=[paths.object(ref) for ref in _worker_refs(job)],
    )


async def _drawn(content: SecretContent, job: MPIJob) -> Mapping[str, str]:
    drawn = await DrawnKeys().draw(content, Config().key_type, Key(job.namespace, job.name))
    return {name: text.decode() for name, text in drawn.items()}


def _objects(job: MPIJob, keys: Mapping[SecretContent, Mapping[str, str]]) -> Iterator[Manifest]:
    for step in reconcile(Observed(job), _now(), Config()).steps:
        if isinstance(step, Create):
            yield step.manifest
        elif isinstance(step, MintSecret):
            # As text, in which the job's name is found: keys are of hosts.
            yield {**step.manifest, "stringData": keys[step.content]}


def _statuses(job: MPIJob) -> Iterator[JobStatus]:
    """Yield a job's status when it is there, when all of it runs, and when it has succeeded."""
    now = _now()
    workers = tuple(
        PodView(ref.name, "", job.uid, "", phase=PodPhase.RUNNING) for ref in _worker_refs(job)
    )
    launcher = LauncherView(names.launcher(job.name), "launcher", job.uid, "", active_count=1)
    pod = PodView("launcher", "", "launcher", "", phase=PodPhase.RUNNING)
    world = Observed(job)
    for seen in (
        world,
        replace(world, workers=workers, launcher=launcher, launcher_pods=(pod,)),
        replace(world, launcher=replace(launcher, end=End(True, "", "", now))),
    ):
        status = next_status(replace(seen, job=job), now)
        job = replace(job, status=status)
        yield status


def _worker_refs(job: MPIJob) -> list[Ref]:
    return [names.ref(job, Kind.POD, name) for name in names.workers(job.name, job.worker_count)]


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
