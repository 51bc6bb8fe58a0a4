"""The loop in which nothing waits: its clock, its order, its deadlocks, and what it leans on."""

import asyncio
import inspect
from random import Random

import pytest

from mpijob.sim.loop import SimLoop, Stuck, play


async def slept(seconds):
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    loop.call_later(seconds, woken.set_result, None)
    await woken
    return loop.time()


def test_an_hour_passes_at_once():
    assert play(slept(3600), Random(0)) == 3600


def order(seed):
    done = []

    async def one(name):
        done.append(name)

    async def all_of_them():
        await asyncio.gather(*(one(name) for name in range(20)))

    play(all_of_them(), Random(seed))
    return done


def test_one_seed_is_one_order():
    assert order(5) == order(5)


def test_what_is_ready_at_once_runs_in_any_order():
    assert len({tuple(order(seed)) for seed in range(10)}) > 1


def test_a_deadlock_is_told():
    async def waits_for_nobody():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        play(waits_for_nobody(), Random(0))


def test_what_is_left_is_cancelled():
    cancelled = []

    async def waits():
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def leaves_it():
        task = asyncio.create_task(waits())
        await slept(1)
        return task

    play(leaves_it(), Random(0))
    assert cancelled == [True]


def test_asyncio_still_has_what_the_loop_leans_on():
    source = inspect.getsource(asyncio.BaseEventLoop._run_once)
    assert all(part in source for part in ("self._selector.select(", "_process_events", "_ready"))


def test_a_loop_that_is_closed_holds_nothing():
    loop = SimLoop(Random(0))
    loop.close()
    assert loop.is_closed()
