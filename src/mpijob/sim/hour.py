"""A virtual hour of the real engine: its own coroutines, behind a network that delays and drops.

Here requests are under way at the same time, answers come after what followed on them, and watches
lag, each by itself. What must hold at every moment and at rest is what holds for histories.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, TypeVar

from msgspec.structs import replace

from mpijob.api.adoption import is_watched
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.engine.control import Engine, Outside
from mpijob.ports import Change, ChangeType, NotFound, Unreachable, translated
from mpijob.sim import audit, rest
from mpijob.sim.audit import Broken
from mpijob.sim.history import Move, move, prepare_calm, script
from mpijob.sim.loop import play
from mpijob.sim.operator import SimKeys
from mpijob.sim.weather import Weather
from mpijob.sim.world import EPOCH, Tell, World

T = TypeVar("T")

ROUGH_S = 1800
HOUR_S = 3600
#: How long the world outside the operator pauses between two moves, in seconds.
PAUSES_S = (0.5, 2, 5, 20)
#: How long a hop over the network takes, and how often none of these: then it takes up to 30 s.
HOPS_S = (0.001, 0.02, 0.3, 2.0)
HANGS = 0.02
#: By how much a watch breaks off, and a process crashes, more rarely than requests are lost.
BREAKS = 0.1
CRASHES = 0.1


class SlowObjects:
    """The port `Objects` over the store of a world, behind a network.

    `breaks` is how likely a watch breaks off with each news that it tells. `broken` is the first
    thing that must not be and was: the engine takes it for a failure of its own and goes on, so it
    is kept here.
    """

    def __init__(self, world: World, breaks: float) -> None:
        self._world = world
        self.breaks = breaks
        self._news = asyncio.Event()
        self.broken: Broken | None = None

    async def get(self, ref: Ref) -> Manifest:
        """Return the object as the server has it when the request arrives."""
        await self._hop()
        found = self._world.store.get(ref)
        await self._hop()
        if found is None:
            raise NotFound(f"{ref.kind} {ref.name} not found")
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new object and return it as stored."""
        world = self._world
        return await self._request(
            lambda: world.store.create(manifest, now=world.now, uid=world.next_uid())
        )

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` into an object and return it as it is then."""
        world = self._world

        def write() -> Manifest:
            found = world.store.get(ref)
            if found is not None and version == found["metadata"]["resourceVersion"]:
                audit.check_ours(found, world.uids)
            return world.store.patch(
                ref, fields, now=world.now, version=version, subresource=subresource
            )

        return await self._request(write)

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object; where it is gone already, do nothing."""
        world = self._world

        def write() -> None:
            found = world.store.get(ref)
            if found is not None:
                if uid == found["metadata"]["uid"]:
                    audit.check_ours(found, world.uids)
                world.store.delete(ref, now=world.now, uid=uid)

        await self._request(write)

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield all there is, then SYNCED, then every change, late. Raises where it breaks off."""
        world, feed = self._world, self._world.feeds[kind]
        await self._hop()
        at = len(feed)
        for manifest in filter(partial(is_watched, kind), world.store.list(kind)):
            yield Change(ChangeType.ADDED, manifest)
        yield Change(ChangeType.SYNCED, {})
        while True:
            while at == len(feed):
                await self._news.wait()
            await self._hop()
            for change in feed[at : (at := len(feed))]:
                yield change
            if world.strikes(self.breaks):
                raise Unreachable("the watch broke off")

    def tell(self) -> None:
        """Wake every watch, since something was written."""
        self._news.set()
        self._news = asyncio.Event()

    async def _request(self, write: Callable[[], T]) -> T:
        world = self._world
        await self._hop()
        if world.strikes(world.weather.lost_request):
            raise Unreachable("the request was lost")
        answer = self._written(write)
        await self._hop()
        if world.strikes(world.weather.lost_answer):
            raise Unreachable("the answer was lost")
        return answer

    def _written(self, write: Callable[[], T]) -> T:
        try:
            with translated():
                answer = write()
                self._world.absorb()
        except Broken as broken:
            self.broken = self.broken or broken
            raise
        self.tell()
        return answer

    async def _hop(self) -> None:
        dice = self._world.dice
        hangs = not self._world.is_calm and dice.random() < HANGS
        await asyncio.sleep(dice.uniform(2, 30) if hangs else dice.choice(HOPS_S))


def run(seed: int, told: Tell | None = None) -> World:
    """Play the hour of a seed and return the world at its end. Raises Broken, with the seed."""
    written = script(seed)
    dice, drawn = Random(seed), written.setting.weather
    world = World(written.setting, dice, told=told)
    world.operators.clear()
    # What strikes operators strikes their processes and requests here, not the world; and the time
    # is the loop's, which leaps for nobody.
    faults = ("gap", "travel", "rivals", "crash", "stale", "pause", "skew", "leap")
    world.weather = replace(drawn, **dict.fromkeys(faults, 0.0))
    world.is_calm = False
    try:
        with _attentive() as defects:
            play(_Hour(world, drawn).play(written.first), dice)
        if defects:
            raise Broken(f"the engine raised: {defects[0]}")
        rest.check(world)
    except Broken as broken:
        raise Broken(f"hour {seed}: {broken}") from broken
    return world


class _Hour:
    """One hour: a world, the weather that its operators have, and their processes."""

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self._weather = weather
        self._objects = SlowObjects(world, weather.gap * BREAKS)
        self._processes: list[asyncio.Task[None]] = []

    async def play(self, first: Mapping[str, Any]) -> None:
        """Play it: the job is made, then everybody moves, at last in the calm."""
        world, loop = self._world, asyncio.get_running_loop()
        self._start()
        if self._weather.rivals:
            self._start()
        world.submit(first)
        while loop.time() < HOUR_S:
            await asyncio.sleep(world.dice.choice(PAUSES_S))
            world.now = moment(loop)
            before = world.store.version
            if loop.time() >= ROUGH_S and not world.is_calm:
                await self._begin_calm()
            await self._move()
            if world.store.version != before:
                self._objects.tell()
            self._raise_what_broke()
        await self._stop(self._processes)
        world.now = moment(loop)

    async def _move(self) -> None:
        """Let everybody but the operators move, and operators crash."""
        world = self._world
        if world.is_calm:
            world.nodes.turn(1)
            world.control_jobs()
            world.collect_garbage()
            return
        drawn = world.dice.random()
        if drawn < self._weather.crash * CRASHES:
            world.say("operator", "crashes")
            await self._stop(self._processes[:1])
            self._start()
        elif drawn < 0.05:
            move(world, Move.USER)
        elif drawn < 0.15:
            move(world, Move.FAULT)
        else:
            move(world, world.dice.choice((Move.NODES, Move.NODES, Move.JOBS, Move.GARBAGE)))

    async def _begin_calm(self) -> None:
        prepare_calm(self._world)
        self._objects.breaks = 0.0
        await self._stop(self._processes[1:])

    def _raise_what_broke(self) -> None:
        if self._objects.broken is not None:
            raise self._objects.broken
        for process in self._processes:
            if process.done():
                process.result()

    def _start(self) -> None:
        world = self._world
        self._processes.append(asyncio.create_task(_operate(self._objects, world)))

    async def _stop(self, processes: list[asyncio.Task[None]]) -> None:
        """Cancel processes wherever they are, and wait until they have ended."""
        self._processes = [task for task in self._processes if task not in processes]
        for task in processes:
            task.cancel()
        if processes:
            await asyncio.wait(processes)


def moment(loop: asyncio.AbstractEventLoop) -> datetime:
    """Return the time that it is in a world, in whole seconds."""
    return datetime.fromtimestamp(EPOCH.timestamp() + int(loop.time()), EPOCH.tzinfo)


async def _operate(objects: SlowObjects, world: World) -> None:
    """Run an operator's process, and another one whenever its watches break off."""
    while True:
        outside = Outside(objects, SimKeys(), lambda: moment(asyncio.get_running_loop()))
        try:
            await Engine(outside, world.config).run()
        except* Unreachable:
            world.say("operator", "begins anew")
        await asyncio.sleep(1)


@contextmanager
def _attentive() -> Iterator[list[str]]:
    """Give the list of what the engine logs as errors: mistakes that it catches and outlives."""
    found: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            if not isinstance(error, Broken):
                found.append(f"{record.getMessage()}: {error!r}")

    logger = logging.getLogger("mpijob.engine")
    ear, before = Ear(logging.ERROR), (logger.level, logger.propagate)
    logger.addHandler(ear)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before[0])
        logger.propagate = before[1]
