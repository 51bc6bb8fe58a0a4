"""What the watches have told so far, as views, and which job each of them concerns.

Sans-IO: changes go in, `Observed` comes out. Raw objects are never kept, and of Secrets nothing
but the names of their keys.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from mpijob.api import children, versions
from mpijob.api.children import Seen
from mpijob.api.manifest import order_of
from mpijob.core import names
from mpijob.core.job import Key, Manifest, MPIJob, Rejected
from mpijob.core.observed import (
    Child,
    ConfigView,
    LauncherView,
    Observed,
    PodGroupView,
    PodView,
    RoleBindingView,
    RoleView,
    SecretView,
    ServiceView,
    launcher_alone,
)
from mpijob.core.plan import Kind, Ref
from mpijob.core.policy.news import is_tidied
from mpijob.ports import Change, ChangeType

#: The kinds of what lets a launcher execute in its workers.
RIGHTS = (Kind.SERVICE_ACCOUNT, Kind.ROLE, Kind.ROLE_BINDING)
#: The kinds of children that the decision looks at.
CHILD_KINDS = (
    Kind.SERVICE,
    Kind.CONFIG_MAP,
    Kind.SECRET,
    Kind.JOB,
    Kind.POD,
    Kind.POD_GROUP,
    Kind.PRIORITY_CLASS,
    *RIGHTS,
)

C = TypeVar("C", bound=Child)
Read = Callable[[Kind, Manifest | bytes], Seen]


class ReadJob(Protocol):
    """Reads an MPIJob's manifest, with the help of what was read before."""

    def __call__(
        self, manifest: Manifest | bytes, *, known: Mapping[Key, MPIJob | Rejected]
    ) -> MPIJob | Rejected:
        """Return the job that a manifest means."""
        ...


_SUFFIXES = {
    Kind.SERVICE: ("",),
    Kind.CONFIG_MAP: ("-config",),
    Kind.SECRET: ("-ssh", "-ssh-host"),
    Kind.JOB: ("-launcher",),
    Kind.POD_GROUP: ("",),
    **dict.fromkeys(RIGHTS, ("-launcher",)),
}


class _Places(NamedTuple):
    """Where the children of a job are. The parts of kubectl's way bear the launcher's name."""

    service: Key
    config: Key
    secret: Key
    host_keys: Key
    launcher: Key
    pod_group: Key


@lru_cache(maxsize=4096)
def _places(job: Key) -> _Places:
    """Return where a job's children are. It is asked for at every look."""
    namespace, name = job
    return _Places(
        service=Key(namespace, names.service(name)),
        config=Key(namespace, names.config(name)),
        secret=Key(namespace, names.secret(name)),
        host_keys=Key(namespace, names.host_keys(name)),
        launcher=Key(namespace, names.launcher(name)),
        pod_group=Key(namespace, names.pod_group(name)),
    )


class Cache:
    """The last view of every job and child, by kind and key.

    Answers to writes and what watches tell come by different ways, and so in any order: an answer
    may come after the watch has told what followed on it, even that the object is gone. So the
    later version of an object stays, and an answer counts only where the watch is not yet that far.

    `read` and `read_job` decode what comes; whoever sees the same object often may remember more.
    """

    def __init__(self, read: Read = children.seen, read_job: ReadJob = versions.job) -> None:
        self._read, self._read_job = read, read_job
        self.jobs: dict[Key, MPIJob | Rejected] = {}
        self._seen: dict[Kind, dict[Key, Seen]] = {kind: {} for kind in CHILD_KINDS}
        self._pods_of: dict[str, dict[str, PodView]] = {}
        self._priorities: dict[str, int] = {}
        self._told: dict[Kind, int] = {}
        self._met: dict[Ref, set[Key]] = {}
        self._answered: dict[Kind, set[Key]] = {
            kind: set() for kind in (Kind.MPI_JOB, *CHILD_KINDS)
        }

    def apply(self, kind: Kind, change: Change) -> Key | None:
        """Take in one change and return the job to look at, or None where there is nothing new.

        What a write of ours was answered with is known already when the watch tells of it, and of
        much that changes in an object nothing is in its view.

        Raises:
            msgspec.ValidationError: the object is not of the shape that its kind has.

        """
        if change.type is ChangeType.SYNCED or self._is_echo(kind, change):
            return None
        if kind is Kind.MPI_JOB:
            job = self._read_job(change.manifest, known=self.jobs)
            self._told_of(kind, job.identity.key, order_of(job.identity.version))
            known = self.jobs.get(job.identity.key)
            self._take_job(job, gone=change.type is ChangeType.DELETED)
            is_echo = known is not None and known.identity.version == job.identity.version
            return None if is_echo and change.type is not ChangeType.DELETED else job.identity.key
        is_gone = change.type is ChangeType.DELETED
        seen = self._last_of(kind, change) if is_gone else self._read(kind, change.manifest)
        self._told_of(kind, seen.key, seen.order)
        before = self._seen[kind].get(seen.key)
        self._take(kind, seen, gone=is_gone)
        if not (is_gone or seen.tells_news(before)):
            return None
        concerned = self._job_of(kind, seen)
        owner = self.jobs.get(concerned) if concerned is not None else None
        if is_gone and owner is not None and before is not None and is_tidied(owner, before.view):
            return None
        return concerned

    def learn(self, kind: Kind, manifest: Manifest | bytes) -> None:
        """Take in what a write of our own was answered, so that the next look knows of it."""
        if kind is Kind.MPI_JOB:
            job = self._read_job(manifest, known=self.jobs)
            if self._is_ahead(kind, order_of(job.identity.version)):
                self._take_job(job, gone=False)
            return
        seen = self._read(kind, manifest)
        if self._is_ahead(kind, seen.order):
            self._answered[kind].add(seen.key)
            self._take(kind, seen, gone=False)

    def listed(self, kind: Kind, version: str) -> tuple[Key, ...]:
        """Take in that all of a kind was told, as it was at `version`; return whom that concerns.

        What we know by the answers to our writes alone, and was not in the list, came and went
        while the watch was broken off: no watch tells of it any more.
        """
        known = [self._seen[kind].get(key) for key in self._answered[kind]]
        gone = [s for s in known if s is not None and s.order <= order_of(version)]
        for seen in gone:
            self._answered[kind].discard(seen.key)
            self._drop(kind, seen.key)
        return tuple(key for seen in gone if (key := self._job_of(kind, seen)) is not None)

    def meet(self, job: Key, kind: Kind, manifest: Manifest | bytes) -> None:
        """Take in an object that was asked for by name, since no watch of ours may tell of it."""
        seen = self._read(kind, manifest)
        if seen.key not in self._seen[kind]:
            self._met.setdefault(Ref(kind, *seen.key), set()).add(job)
        self._take(kind, seen, gone=False)

    def met(self, job: Key) -> tuple[Ref, ...]:
        """Return what a job has met of which no watch has told since: ask again before a look."""
        return tuple(ref for ref, jobs in self._met.items() if job in jobs) if self._met else ()

    def miss(self, job: Key, ref: Ref) -> None:
        """Take in that an object which was met is there no longer."""
        jobs = self._met.get(ref, set())
        jobs.discard(job)
        if not jobs:
            self._met.pop(ref, None)
        self._drop(ref.kind, Key(ref.namespace, ref.name))

    def learn_deleted(self, ref: Ref, uid: str) -> None:
        """Take in that a child is on its way out; of pods the last word is the watch's.

        A namesake that came since is left alone.
        """
        key = Key(ref.namespace, ref.name)
        if ref.kind is Kind.MPI_JOB:
            return  # The watch tells when it is gone; its children go with it.
        seen = self._seen[ref.kind].get(key)
        if seen is None or isinstance(seen.view, int) or seen.view.uid != uid:
            return
        if isinstance(seen.view, PodView):
            self._file(ref.kind, replace(seen, view=replace(seen.view, deleting=True)))
        else:
            self._drop(ref.kind, key)

    def observed(self, key: Key) -> Observed | None:
        """Return all that is seen of one job, or None where there is no such job."""
        job = self.jobs.get(key)
        if job is None:
            return None
        places = _places(key)
        of_launcher = places.launcher
        launcher = self._view(Kind.JOB, LauncherView, of_launcher)
        pods = self._pods_of.get(launcher.uid, {}) if launcher else {}
        own = self._pods_of.get(job.identity.uid, {})
        alone = own.get(of_launcher.name)
        if launcher is None and alone is not None:
            launcher, pods = launcher_alone(alone), {alone.name: alone}
        return Observed(
            job=job,
            service=self._view(Kind.SERVICE, ServiceView, places.service),
            config=self._view(Kind.CONFIG_MAP, ConfigView, places.config),
            secret=self._view(Kind.SECRET, SecretView, places.secret),
            host_keys=self._view(Kind.SECRET, SecretView, places.host_keys),
            launcher=launcher,
            launcher_pods=tuple(pods.values()),
            workers=tuple(self._workers(job, own)),
            pod_group=self._view(Kind.POD_GROUP, PodGroupView, places.pod_group),
            account=self._view(Kind.SERVICE_ACCOUNT, Child, of_launcher),
            role=self._view(Kind.ROLE, RoleView, of_launcher),
            role_binding=self._view(Kind.ROLE_BINDING, RoleBindingView, of_launcher),
            priorities=self._priorities,
        )

    def _is_echo(self, kind: Kind, change: Change) -> bool:
        """Say whether a change tells of a version that is known; if so it has been taken in."""
        key, order = change.key, order_of(change.version)
        if key is None or not order or change.type is ChangeType.DELETED:
            return False
        if order != self._known_order(kind, key):
            return False
        self._told_of(kind, key, order)
        return True

    def _known_order(self, kind: Kind, key: Key) -> int:
        """Return the order of the version at which an object is known, 0 for none."""
        if kind is Kind.MPI_JOB:
            job = self.jobs.get(key)
            return 0 if job is None else order_of(job.identity.version)
        seen = self._seen[kind].get(key)
        return 0 if seen is None else seen.order

    def _last_of(self, kind: Kind, change: Change) -> Seen:
        """Return what is gone, as it was last: of what is known, its name says which it was."""
        known = None if change.key is None else self._seen[kind].get(change.key)
        if known is None:
            return self._read(kind, change.manifest)
        return replace(known, order=order_of(change.version))

    def _told_of(self, kind: Kind, key: Key, order: int) -> None:
        """Note that the watch of a kind has told of an object."""
        self._hear(kind, order)
        self._answered[kind].discard(key)
        if self._met:
            self._met.pop(Ref(kind, *key), None)

    def _hear(self, kind: Kind, order: int) -> None:
        """Note how far the watch of a kind is."""
        if order > self._told.get(kind, -1):
            self._told[kind] = order

    def _is_ahead(self, kind: Kind, order: int) -> bool:
        """Say whether the watch of a kind has yet to tell of the version of that order."""
        return order > self._told.get(kind, -1)

    def _take_job(self, job: MPIJob | Rejected, *, gone: bool) -> None:
        key, known = job.identity.key, self.jobs.get(job.identity.key)
        version = job.identity.version
        if known is not None and order_of(version) < order_of(known.identity.version):
            return
        if gone:
            self.jobs.pop(key, None)
            for ref in self.met(key):
                self.miss(key, ref)
        else:
            self.jobs[key] = job

    def _take(self, kind: Kind, seen: Seen, *, gone: bool) -> None:
        known = self._seen[kind].get(seen.key)
        if known is not None and seen.order < known.order:
            return
        if gone:
            self._drop(kind, seen.key)
        else:
            self._file(kind, seen)

    def _file(self, kind: Kind, seen: Seen) -> None:
        view = seen.view
        if isinstance(view, PodView):
            self._drop(kind, seen.key)
            if view.owner_uid:
                self._pods_of.setdefault(view.owner_uid, {})[view.name] = view
        elif isinstance(view, int):
            self._priorities = {**self._priorities, seen.key.name: view}
        self._seen[kind][seen.key] = seen

    def _drop(self, kind: Kind, key: Key) -> None:
        old = self._seen[kind].pop(key, None)
        if old is None:
            return
        if isinstance(old.view, PodView):
            siblings = self._pods_of.get(old.view.owner_uid, {})
            siblings.pop(old.view.name, None)
            if not siblings:
                self._pods_of.pop(old.view.owner_uid, None)
        elif isinstance(old.view, int):
            kept = self._priorities.items()
            self._priorities = {name: value for name, value in kept if name != key.name}

    def _view(self, kind: Kind, shape: type[C], key: Key) -> C | None:
        seen = self._seen[kind].get(key)
        return seen.view if seen is not None and isinstance(seen.view, shape) else None

    def _workers(self, job: MPIJob | Rejected, own: Mapping[str, PodView]) -> Iterator[PodView]:
        """The pods that the job owns, and strangers under the names of workers that it wants."""
        key = job.identity.key
        launcher = _places(key).launcher.name
        yield from [pod for name, pod in own.items() if name != launcher]
        if isinstance(job, Rejected):
            return
        for name in names.workers(key.name, job.worker_count):
            if name not in own:
                other = self._view(Kind.POD, PodView, Key(key.namespace, name))
                if other is not None:
                    yield other

    def _job_of(self, kind: Kind, seen: Seen) -> Key | None:
        namespace = seen.key.namespace
        if seen.owner_kind == "MPIJob":
            return Key(namespace, seen.owner_name)
        if kind is Kind.POD:
            if seen.job_name:
                return Key(namespace, seen.job_name)
            job, mark, _ = seen.key.name.rpartition("-worker-")
            return Key(namespace, job) if mark else None
        for suffix in _SUFFIXES.get(kind, ()):
            key = Key(namespace, seen.key.name.removesuffix(suffix))
            if seen.key.name.endswith(suffix) and key in self.jobs:
                return key
        return None
