"""The queue: each key once, with one worker at a time, and only failures are slowed down."""

import asyncio
from random import Random

from mpijob.core.job import Key
from mpijob.engine.queue import RETRY_S_MAX, RETRY_S_MIN, Queue
from mpijob.sim.loop import play

A, B = Key("default", "a"), Key("default", "b")


def run(scene, rest_s=0.0):
    """Play a scene with a queue."""

    async def whole():
        queue = Queue(rest_s)
        try:
            return await scene(queue)
        finally:
            queue.close()

    return asyncio.run(whole())


def test_a_key_that_is_asked_for_twice_is_taken_once():
    async def scene(queue):
        queue.add(A)
        queue.add(A)
        queue.add(B)
        return [await queue.take(), await queue.take()]

    assert run(scene) == [A, B]


def test_a_key_that_is_being_looked_at_is_not_given_to_a_second_worker():
    async def scene(queue):
        queue.add(A)
        await queue.take()
        queue.add(A)
        queue.add(B)
        return await queue.take()

    assert run(scene) == B


def test_what_changed_during_a_look_is_looked_at_afterwards():
    async def scene(queue):
        queue.add(A)
        await queue.take()
        queue.add(A)
        queue.give_back(A)
        return await queue.take()

    assert run(scene) == A


def test_a_key_put_off_comes_in_time():
    async def scene(queue):
        queue.add_after(A, 0)
        return await queue.take()

    assert run(scene) == A


def test_failures_are_put_off_ever_longer_up_to_a_bound():
    async def scene(queue):
        return [queue.retry(A) for _ in range(20)]

    delays = run(scene)
    assert (delays[0], delays[1], delays[-1]) == (RETRY_S_MIN, 2 * RETRY_S_MIN, RETRY_S_MAX)


def test_a_success_forgets_earlier_failures():
    async def scene(queue):
        queue.retry(A)
        queue.succeed(A)
        return queue.retry(A)

    assert run(scene) == RETRY_S_MIN


def test_after_a_success_what_was_planned_before_is_planned_no_longer():
    async def scene():
        queue, clock = Queue(), asyncio.get_running_loop().time
        queue.add_after(A, 1)
        queue.succeed(A)
        queue.add_after(A, 20)
        began_at = clock()
        await queue.take()
        return clock() - began_at

    assert play(scene(), Random(1)) == 20


def test_one_keys_failures_do_not_slow_another():
    async def scene(queue):
        for _ in range(10):
            queue.retry(A)
        return queue.retry(B)

    assert run(scene) == RETRY_S_MIN


def test_of_two_wishes_the_sooner_counts():
    async def scene(queue):
        queue.add_after(A, 3600)
        queue.add_after(A, 0)
        queue.add_after(A, 7200)
        return await queue.take()

    assert run(scene) == A


def test_every_key_is_taken_whatever_the_order_of_calls():
    async def scene(queue):
        dice = Random(7)
        keys = [Key("default", str(number)) for number in range(50)]
        asked = [dice.choice(keys) for _ in range(500)]
        for key in asked:
            queue.add(key)
        taken = [await queue.take() for _ in set(asked)]
        return sorted(taken) == sorted(set(asked))

    assert run(scene)


def test_a_key_that_rests_is_taken_once_for_all_that_came_meanwhile():
    async def scene(queue):
        queue.add(A)
        queue.give_back(await queue.take())
        for key in (A, A, B):
            queue.add(key)
        taken = [await queue.take(), await queue.take()]
        return taken, queue.due_count

    assert run(scene, rest_s=0.01) == ([B, A], 0)


def test_the_more_keys_rest_the_longer_each_does():
    async def rested_s(count):
        queue, clock = Queue(rest_s=0.1), asyncio.get_running_loop().time
        keys = [Key("default", f"{number}") for number in range(count)]
        for key in keys:
            queue.add(key)
        for _ in keys:
            queue.give_back(await queue.take())
        began_at = clock()
        for key in keys:
            queue.add(key)
        for _ in keys:
            await queue.take()
        return round(clock() - began_at, 2)

    assert [play(rested_s(count), Random(1)) for count in (1, 11, 1000)] == [0.1, 0.2, 1.0]


def test_the_more_often_a_key_has_failed_the_longer_it_rests():
    async def rested_s(count):
        queue, clock = Queue(rest_s=0.1), asyncio.get_running_loop().time
        queue.add(A)
        await queue.take()
        for _ in range(count):
            queue.retry(A)
        queue.give_back(A)
        queue.add(A)
        began_at = clock()
        await queue.take()
        return round(clock() - began_at, 2)

    assert [play(rested_s(count), Random(1)) for count in (0, 1, 5, 20)] == [0.1, 0.1, 0.32, 1.0]


def test_a_key_that_rests_and_is_asked_for_is_no_idleness():
    async def scene(queue):
        queue.add(A)
        queue.give_back(await queue.take())
        queue.add(A)
        waiting = asyncio.ensure_future(queue.idle())
        await asyncio.sleep(0)
        still_waits = not waiting.done()
        queue.give_back(await queue.take())
        await waiting
        return still_waits

    assert run(scene, rest_s=0.01)


def test_each_key_wakes_one_worker():
    async def scene(queue):
        looked = []

        async def work():
            while True:
                looked.append(await queue.take())

        workers = [asyncio.ensure_future(work()) for _ in range(3)]
        queue.add(A)
        queue.add(B)
        for _ in range(5):
            await asyncio.sleep(0)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return looked

    assert run(scene) == [A, B]
