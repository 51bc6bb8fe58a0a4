"""Election: of several candidates one acts, in virtual time."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref
from mpijob.engine.lease import LEASE_S, Candidate, Lost, lead
from mpijob.ports import Unreachable
from mpijob.sim.loop import play
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON

REF = Ref(Kind.LEASE, "mpi-operator", "mpi-operator")


async def after(seconds):
    """Return when the virtual clock has moved on so far."""
    reached = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, reached.set)
    await reached.wait()


class Flaky(MemoryObjects):
    """An API server that can be cut off."""

    cut = False
    #: How many answers are lost from now on, of writes that take effect.
    mute = 0
    #: Whether writes are never answered.
    silent = False

    async def patch(self, ref, fields, *, version="", subresource=""):
        if self.cut:
            raise Unreachable("cut off")
        if self.silent:
            await asyncio.Event().wait()
        told = await super().patch(ref, fields, version=version, subresource=subresource)
        if self.mute:
            self.mute -= 1
            raise Unreachable("the answer was lost")
        return told


def now():
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


class Stage:
    """Candidates for one Lease, and who acts when."""

    def __init__(self):
        self.store = Store()
        self.acting = []
        self.most = 0
        self.won = asyncio.Event()

    def candidate(self, name, objects=None):
        return Candidate(objects or Flaky(self.store, now), REF, name, now)

    async def act(self, name):
        self.acting.append(name)
        self.most = max(self.most, len(self.acting))
        self.won.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.acting.remove(name)

    def stands(self, name, objects=None):
        return asyncio.ensure_future(lead(self.candidate(name, objects), lambda: self.act(name)))


async def ended(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_the_first_to_come_acts():
    async def scene():
        stage = Stage()
        task = stage.stands("a")
        await stage.won.wait()
        acting = list(stage.acting)
        await ended(task)
        return acting

    assert play(scene(), Random(0)) == ["a"]


@pytest.mark.parametrize("seed", range(10))
def test_never_do_two_act_at_once(seed):
    async def scene():
        stage = Stage()
        tasks = [stage.stands(name) for name in "abc"]
        await after(600)
        most = stage.most
        await ended(*tasks)
        return most

    assert play(scene(), Random(seed)) == 1


def took_over(stop):
    """Seconds from the end of the first holder to the beginning of the second's."""

    async def scene():
        stage = Stage()
        objects = Flaky(stage.store, now)
        first = stage.stands("a", objects)
        await stage.won.wait()
        second = stage.stands("b")
        await after(60)
        stage.won.clear()
        at = asyncio.get_running_loop().time()
        await stop(first, objects)
        await stage.won.wait()
        waited = asyncio.get_running_loop().time() - at
        await ended(first, second)
        return waited

    return play(scene(), Random(0))


async def stopped(task, objects):
    await ended(task)


async def killed(task, objects):
    objects.cut = True
    await ended(task)


def test_a_holder_that_stops_makes_way_at_once():
    assert took_over(stopped) <= 4


def test_a_holder_that_is_gone_is_waited_for_as_long_as_the_lease_says():
    assert LEASE_S - 4 <= took_over(killed) <= LEASE_S + 4


def test_a_holder_that_cannot_renew_stops_before_others_may_act():
    async def scene():
        stage = Stage()
        objects = Flaky(stage.store, now)
        task = stage.stands("a", objects)
        await stage.won.wait()
        at = asyncio.get_running_loop().time()
        objects.cut = True
        with pytest.raises(Lost):
            await task
        return asyncio.get_running_loop().time() - at, list(stage.acting)

    took_s, acting = play(scene(), Random(0))
    assert (took_s < LEASE_S, acting) == (True, [])


async def acting_after(trouble):
    """Who acts a minute after something happened to the holder's connection."""
    stage = Stage()
    objects = Flaky(stage.store, now)
    task = stage.stands("a", objects)
    await stage.won.wait()
    trouble(objects)
    await after(60)
    acting = list(stage.acting)
    await ended(task)
    return acting


def test_a_holder_whose_renewal_was_not_answered_but_written_goes_on():
    def lose_one_answer(objects):
        objects.mute = 1

    assert play(acting_after(lose_one_answer), Random(0)) == ["a"]


def test_a_holder_outlives_one_renewal_that_hangs():
    def hang_for_a_while(objects):
        objects.silent = True
        asyncio.get_running_loop().call_later(7.5, setattr, objects, "silent", False)

    assert play(acting_after(hang_for_a_while), Random(0)) == ["a"]


def test_a_lease_that_was_won_by_an_answer_that_came_too_late_is_claimed_again():
    """By then others may have seen it run out."""

    class LateAtFirst(Flaky):
        async def create(self, manifest):
            made = await super().create(manifest)
            await after(LEASE_S)
            return made

    async def scene():
        stage = Stage()
        task = stage.stands("a", LateAtFirst(stage.store, now))
        await after(LEASE_S + 1)
        too_late = list(stage.acting)
        await stage.won.wait()
        in_time = list(stage.acting)
        await ended(task)
        return too_late, in_time

    assert play(scene(), Random(0)) == ([], ["a"])


async def gone_silent(task, objects):
    objects.silent = True
    await ended(task)


def test_a_holder_ends_in_time_where_the_server_does_not_answer_its_release():
    assert took_over(gone_silent) <= LEASE_S + 4


def test_a_holder_whose_last_answer_was_lost_makes_way_at_once():
    async def stopped_unheard(task, objects):
        objects.mute = 1
        await after(4)
        await ended(task)

    assert took_over(stopped_unheard) <= 8


def test_a_holder_whose_lease_is_taken_stops():
    async def scene():
        stage = Stage()
        task = stage.stands("a")
        await stage.won.wait()
        thief = Flaky(stage.store, now)
        await thief.patch(REF, {"spec": {"holderIdentity": "thief"}})
        with pytest.raises(Lost, match="taken"):
            await task
        return stage.acting

    assert play(scene(), Random(0)) == []


def test_a_clock_that_is_hours_off_does_not_take_a_living_lease():
    async def scene():
        stage = Stage()
        first = stage.stands("a")
        await stage.won.wait()
        far = datetime(2030, 1, 1, tzinfo=UTC)
        skewed = Candidate(Flaky(stage.store, now), REF, "b", lambda: far)
        second = asyncio.ensure_future(lead(skewed, lambda: stage.act("b")))
        await after(600)
        acting = list(stage.acting)
        await ended(first, second)
        return acting

    assert play(scene(), Random(0)) == ["a"]
