"""One operator process: what it has seen so far, kind by kind, and how it looks and acts.

The decision, the performing and the cache are the real ones; what is drawn is what it gets to see,
how its writes fare, and where it crashes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from mpijob.api import children, versions
from mpijob.api.adoption import is_watched
from mpijob.api.children import Seen
from mpijob.core import build
from mpijob.core.config import Config, KeyType
from mpijob.core.job import Key, Manifest, MPIJob, Rejected
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Plan, SecretContent
from mpijob.core.reconcile import reconcile
from mpijob.engine.cache import CHILD_KINDS, Cache, Read, ReadJob
from mpijob.engine.perform import Hands, meet_again, perform
from mpijob.ports import Change, ChangeType, Conflict, NotFound, Refused, Unreachable
from mpijob.sim import user
from mpijob.sim.objects import Crash, WeatheredObjects
from mpijob.sim.trace import plan_line

if TYPE_CHECKING:
    from mpijob.sim.world import World

KINDS = (Kind.MPI_JOB, *CHILD_KINDS)
KEY = Key(user.NAMESPACE, user.NAME)
#: How far back an operator may find itself after a restart, in changes.
TRAVEL_MAX = 30

#: For how many looks a watch that stalls tells nothing.
STALLS = (1, 3, 8, 20)

Decide = Callable[[Observed, datetime, Config], Plan]
Perform = Callable[..., Coroutine[Any, Any, None]]


class Practice(Struct, frozen=True):
    """How operators work: the real way, or with a mistake that was made on purpose."""

    decide: Decide = reconcile
    perform: Perform = perform
    cache: Callable[[Read, ReadJob], Cache] = Cache


class Readings:
    """What was read of each version of an object: several watchers are told of the same."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str], Seen] = {}
        self._jobs: dict[tuple[str, str], MPIJob | Rejected] = {}

    def child(self, kind: Kind, manifest: Manifest | bytes) -> Seen:
        """Return the view of a child."""
        version = _version(manifest)
        found = self._children.get(version)
        if found is None:
            found = self._children[version] = children.seen(kind, manifest)
        return found

    def job(
        self,
        manifest: Manifest | bytes,
        *,
        known: Mapping[Key, MPIJob | Rejected] = versions.NONE_KNOWN,
    ) -> MPIJob | Rejected:
        """Return the job that a manifest means."""
        version = _version(manifest)
        found = self._jobs.get(version)
        if found is None:
            found = self._jobs[version] = versions.job(manifest, known=known)
        return found


def _version(manifest: Manifest | bytes) -> tuple[str, str]:
    """Return what tells an object at one version from all others, also where a list gave it its."""
    if isinstance(manifest, bytes):
        raise TypeError("in a simulated world, objects are mappings")
    metadata = manifest["metadata"]
    return metadata["uid"], metadata["resourceVersion"]


class SimKeys:
    """The port `Keys`, without a key worth stealing."""

    async def draw(
        self,
        content: SecretContent,
        key_type: KeyType,  # noqa: ARG002 (the port's signature)
        job: Key,  # noqa: ARG002
    ) -> Mapping[str, bytes]:
        """Return a Secret's data."""
        names = build.USER_KEY_NAMES if content is SecretContent.USER_KEYS else build.HOST_KEY_NAMES
        return dict.fromkeys(sorted(names), b"drawn")


class Operator:
    """An operator. `wake_at` is when it wants to look again even if nothing has changed.

    Its clock is `ahead_s` before everybody else's.
    """

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.wake_at: datetime | None = None
        self.failed = False
        self.ahead_s = 0
        self._world = world
        self._objects = WeatheredObjects(world)
        self.begin()

    def begin(self) -> None:
        """Start anew, with nothing but what a first list of each kind tells."""
        world = self._world
        self.wake_at, self.failed = None, True
        self._stalls: dict[Kind, int] = {}
        self.cache = world.practice.cache(world.readings.child, world.readings.job)
        self._hands = Hands(
            self._objects,
            SimKeys(),
            world.config,
            self.cache.learn,
            self.cache.learn_deleted,
            self.cache.meet,
            width=lambda: 1,
        )
        self._cursors = {kind: self._list(kind) for kind in KINDS}
        self._told = sum(self._cursors.values())

    @property
    def is_due(self) -> bool:
        """Whether the engine would have it look now."""
        world = self._world
        wakes = self.wake_at is not None and world.now >= self.wake_at
        return self.failed or wakes or self._told < world.fed

    def look(self) -> None:
        """Take in what the watches tell, look at the job, decide, and act."""
        world = self._world
        self._catch_up()
        self.failed = False
        self.wake_at = None
        self._objects.begin()
        try:
            _drive(meet_again(KEY, self.cache, self._objects))
            self._act()
        except (Conflict, NotFound, Refused, Unreachable) as failure:
            self.failed = True
            if world.told is not None:
                world.told(self.name, f"stops: {type(failure).__name__}: {failure}")
        except Crash:
            if world.told is not None:
                world.told(self.name, "crashes, and starts anew")
            self.begin()

    def _act(self) -> None:
        """Decide, and perform what was decided."""
        world = self._world
        observed = self._objects.observed = self.cache.observed(KEY)
        if observed is None:
            return
        ahead = timedelta(seconds=self.ahead_s)
        now = world.now + ahead
        plan = world.practice.decide(observed, now, world.config)
        self.wake_at = plan.wake_at and plan.wake_at - ahead
        if world.told is not None:
            world.told(self.name, plan_line(plan, observed))
        if not plan.stages:
            return
        if not world.is_calm:
            plan = _shuffled(plan, world)
        _drive(world.practice.perform(plan, observed.job.identity, self._hands, now))

    def _catch_up(self) -> None:
        """Take in all that is new, or of some kinds only a part."""
        world, stale = self._world, self._world.weather.stale
        seen_all = True
        for kind in KINDS if self._told < world.fed else ():
            feed, begin = world.feeds[kind], self._cursors[kind]
            end = len(feed)
            if begin == end:
                continue
            if stale:
                end = self._stalled_at(kind, begin, end)
                seen_all = seen_all and end == len(feed)
            for change in feed[begin:end]:
                self.cache.apply(kind, change)
            self._cursors[kind] = end
            self._told += end - begin
        self._objects.seen_all = seen_all

    def list_anew(self, kind: Kind) -> None:
        """Have the watch of a kind break off, and miss what happened until it lists anew.

        What it knew and finds no longer it tells as deleted, as it was last but at the list's
        version, as the watch of a real server has it: the operator may know a later one than the
        watch, by its own writes, and no list tells of those.
        """
        world, feed = self._world, self._world.feeds[kind]
        cursor = self._cursors[kind]
        then = world.store.as_of(kind, world.versions[kind][cursor - 1]) if cursor else {}
        there = world.store.list(kind)
        names = {manifest["metadata"]["name"] for manifest in there}
        at = {"resourceVersion": str(world.store.version)}
        gone = [
            {**was, "metadata": {**was["metadata"], **at}}
            for (_, name), was in then.items()
            if name not in names
        ]
        for type_, rows in ((ChangeType.DELETED, gone), (ChangeType.ADDED, there)):
            for manifest in rows:
                if is_watched(kind, manifest):
                    self.cache.apply(kind, Change(type_, manifest))
        self.cache.listed(kind, str(world.store.version))
        self._cursors[kind] = len(feed)
        self._told += len(feed) - cursor
        self._stalls.pop(kind, None)
        self.failed = True

    def _stalled_at(self, kind: Kind, begin: int, end: int) -> int:
        """Return how far a watch gets: to the end, or somewhere before it for a few looks."""
        dice = self._world.dice
        left = self._stalls.get(kind, 0)
        if left:
            self._stalls[kind] = left - 1
            return begin
        if dice.random() >= self._world.weather.stale:
            return end
        self._stalls[kind] = dice.choice(STALLS)
        return dice.randint(begin, end)

    def _list(self, kind: Kind) -> int:
        """Take in a list of a kind, as it is or once was, and return where to watch from."""
        world, dice = self._world, self._world.dice
        latest = version = world.store.version
        travel = world.weather.travel
        if travel and dice.random() < travel:
            version = dice.randint(max(0, latest - TRAVEL_MAX), latest)
        if version == latest:
            for manifest in world.store.list(kind):
                if is_watched(kind, manifest):
                    self.cache.apply(kind, Change(ChangeType.ADDED, manifest))
            return len(world.feeds[kind])
        for manifest in world.store.as_of(kind, version).values():
            if is_watched(kind, manifest):
                self.cache.apply(kind, Change(ChangeType.ADDED, manifest))
        return bisect_right(world.versions[kind], version)


def _shuffled(plan: Plan, world: World) -> Plan:
    """Return the plan with each stage's steps in any order: they run at the same time."""
    stages = tuple(
        tuple(world.dice.sample(stage, len(stage))) if len(stage) > 1 else stage
        for stage in plan.stages
    )
    return replace(plan, stages=stages)


def _drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a plan waited for something in a world where nothing waits")
