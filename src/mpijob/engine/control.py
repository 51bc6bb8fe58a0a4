"""The control loop: keep every job on its way, until cancelled."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from msgspec import Struct

from mpijob.api import versions
from mpijob.api.manifest import version_of
from mpijob.core.config import Config
from mpijob.core.job import Key
from mpijob.core.plan import Announce, Kind, Plan, WriteStatus
from mpijob.core.reconcile import reconcile
from mpijob.engine.cache import CHILD_KINDS, Cache
from mpijob.engine.perform import Hands, meet_again, perform
from mpijob.engine.queue import Queue
from mpijob.engine.tally import Tally, became_true
from mpijob.ports import Change, ChangeType, Conflict, Keys, NotFound, Objects, Refused, Unreachable

_log = logging.getLogger(__name__)


class Outside(Struct, frozen=True):
    """The world that an engine works in: where objects are, who draws keys, what time it is."""

    objects: Objects
    keys: Keys
    now: Callable[[], datetime]


class Bounds(Struct, frozen=True):
    """How much an engine does at once.

    Args:
        jobs: How many are looked at, at the same time.
        steps: How many of one job may be under way, while no other job is at work.
        rest_s: How long a job at which nothing was to be done is left alone.

    """

    jobs: int = 16
    steps: int = 64
    rest_s: float = 0.0


_BOUNDS = Bounds()
#: Beside others, a job has this part of the steps that it may have alone.
_NARROWED = 4


class Engine:
    """One operator: its cache, its queue, and the workers that empty it.

    Expected flow: `run` opens one watch a kind; once each has told all there is, workers take the
    keys that changes concern, look, decide and perform. A failed plan is looked at again: at once
    where the watch brings news, else after a back-off that grows by key.

    Guarantees: one job is with one worker at a time; a failure of one job never stops another.
    """

    def __init__(
        self,
        outside: Outside,
        config: Config,
        *,
        only: Key | None = None,
        kinds: Iterable[Kind] = CHILD_KINDS,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        self.cache = Cache(read_job=partial(versions.job, units=config.units))
        self.tally = Tally()
        self.synced = asyncio.Event()
        self._outside = outside
        self._config = config
        self._only = only
        self._kinds = (Kind.MPI_JOB, *kinds)
        self._bounds = bounds
        self._queue = Queue(bounds.rest_s)
        self._hands = Hands(
            outside.objects,
            outside.keys,
            config,
            self.cache.learn,
            self.cache.learn_deleted,
            self.cache.meet,
            self._width,
        )

    async def run(self) -> None:
        """Keep every job on its way. Ends only by being cancelled, or with its watches' failure."""
        synced = [asyncio.Event() for _ in self._kinds]
        try:
            async with asyncio.TaskGroup() as tasks:
                for kind, told in zip(self._kinds, synced, strict=True):
                    tasks.create_task(self._follow(kind, told), name=f"watch {kind}")
                for told in synced:
                    await told.wait()
                self.synced.set()
                for _ in range(self._bounds.jobs):
                    tasks.create_task(self._work())
        finally:
            self._queue.close()

    async def idle(self) -> None:
        """Return once every plan that was begun has been performed to its end."""
        await self._queue.idle()

    async def look(self, key: Key) -> Plan | None:
        """Look at one job, decide, and perform. Return the plan, or None where there is no job.

        Raises what `perform` raises.
        """
        await meet_again(key, self.cache, self._outside.objects)
        observed = self.cache.observed(key)
        if observed is None:
            return None
        now = self._outside.now()
        plan = reconcile(observed, now, self._config)
        await perform(plan, observed.job.identity, self._hands, now)
        for step in plan.steps[:1]:
            if isinstance(step, WriteStatus):
                self.tally.told(observed.job.status, step.status, now)
                for row in became_true(observed.job.status, step.status):
                    _log.info("%s: %s", row.type, row.message, extra=_of(key))
        return plan

    def _width(self) -> int:
        """Return how many steps of one job may be under way now.

        A server shares its time among all that it is asked: beside the requests of a large job
        those of a small one would take long.
        """
        alone = self._bounds.steps
        return alone if self._queue.busy_count < 2 else max(1, alone // _NARROWED)

    @property
    def due_count(self) -> int:
        """How many jobs wait to be looked at."""
        return self._queue.due_count

    async def _follow(self, kind: Kind, synced: asyncio.Event) -> None:
        async for change in self._outside.objects.watch(kind):
            if change.type is ChangeType.SYNCED:
                synced.set()
            for key in self._take_in(kind, change):
                if self._only in (None, key):
                    self._queue.add(key)

    def _take_in(self, kind: Kind, change: Change) -> tuple[Key, ...]:
        """Take in what a watch tells, and return the jobs to look at."""
        if change.type is ChangeType.SYNCED:
            return self.cache.listed(kind, version_of(change.manifest))
        try:
            key = self.cache.apply(kind, change)
            return () if key is None else (key,)
        except ValueError as odd:
            # One object of an odd shape must not stop the watch that all others come by.
            _log.warning("a %s was passed over: %s", kind, odd)
            return ()

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            acted = False
            try:
                acted = await self._look_once(key)
            finally:
                self._queue.give_back(key, rests=not acted)
            # A look that asks nobody anything gives nobody else a turn, and thousands may be due.
            await asyncio.sleep(0)

    async def _look_once(self, key: Key) -> bool:
        """Look at a job, whatever comes of it; return whether something was done."""
        clock = asyncio.get_running_loop().time
        began_at, result, acted = clock(), "failed", False
        try:
            plan = await self.look(key)
        except (Conflict, NotFound, Unreachable) as failure:
            delay_s = self._queue.retry(key)
            _log.info("looked at again in %.2f s: %s", delay_s, failure, extra=_of(key))
        except Refused as refusal:
            self._queue.retry(key)
            await self._tell_refusal(key, refusal)
        except Exception:  # noqa: BLE001
            # A mistake of ours with one job must not stop the others; it is told and tried again.
            self._queue.retry(key)
            _log.exception("reconciling failed", extra=_of(key))
        else:
            result = "done"
            self._queue.succeed(key)
            acted = plan is not None and bool(plan.stages)
            if plan is not None and plan.again:
                # What our own writes made of the world is known from their answers.
                self._queue.add(key)
            if plan is not None and plan.wake_at is not None:
                wait = plan.wake_at - self._outside.now()
                self._queue.add_after(key, wait.total_seconds())
        finally:
            self.tally.looked(result, clock() - began_at)
        return acted

    async def _tell_refusal(self, key: Key, refusal: Refused) -> None:
        """Say in an event that the server would not do what the job needs, and why."""
        _log.warning("refused: %s", refusal, extra=_of(key))
        job = self.cache.jobs.get(key)
        if job is not None:
            told = Announce("MPIJobFailed", str(refusal), warning=True)
            now = self._outside.now()
            try:
                await perform(Plan(((told,),)), job.identity, self._hands, now)
            except (Conflict, NotFound, Refused, Unreachable):
                _log.info("the refusal could not be told", extra=_of(key))


def _of(key: Key) -> dict[str, str]:
    """Return what puts the job on a log line, whatever its form."""
    return {"job": str(key)}


async def run(outside: Outside, config: Config, *, only: Key | None = None) -> None:
    """Run an operator until cancelled: for every job, or for `only` one."""
    await Engine(outside, config, only=only).run()
