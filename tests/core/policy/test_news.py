"""When a status is worth a write."""

import pytest
from msgspec.structs import replace

from mpijob.core.job import RunPolicy
from mpijob.core.observed import End, PodPhase
from mpijob.core.plan import WriteStatus
from mpijob.core.policy.news import write_at
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.status import ReplicaCount
from mpijob.testing.worlds import (
    CONFIG,
    NOON,
    ended,
    job,
    launcher,
    launcher_pod,
    plumbed,
    running,
    seconds_later,
    worker,
)

PENDING = launcher_pod(PodPhase.PENDING)
WAITING = worker(1, PodPhase.PENDING)


def started(number, after_s):
    """A worker that runs since so many seconds after noon."""
    return worker(number, running_since=seconds_later(after_s))


def told_of(*workers, **changes):
    """The world of a job of 2 workers of which nothing was told but that they were to come."""
    world = running(job(), workers=workers, launcher_pods=(PENDING,), **changes)
    pending = (worker(0, PodPhase.PENDING), WAITING)
    before = replace(world, workers=pending, launcher=launcher())
    return replace(world, job=replace(world.job, status=next_status(before, NOON)))


def told_that_it_runs(pod):
    """The world of a job that was told of as running, whose launcher's pod is `pod` now."""
    workers = (worker(0), worker(1))
    world = running(job(), workers=workers, launcher_pods=(launcher_pod(running_since=NOON),))
    told = replace(world.job, status=next_status(world, NOON))
    return replace(world, job=told, launcher_pods=(pod,))


WELL = launcher_pod(PodPhase.SUCCEEDED, containers=ended(0))


CASES = {
    "a launcher's pod that ended well": (told_that_it_runs(WELL), 5, 10),
    "one of which its Job says nothing": (told_that_it_runs(WELL), 10, 10),
    "one that does not say when": (told_that_it_runs(launcher_pod(PodPhase.SUCCEEDED)), 5, 5),
    "a launcher's pod that failed": (told_that_it_runs(launcher_pod(PodPhase.FAILED)), 5, 5),
    "a job that is new": (plumbed(job()), 5, 5),
    "nothing new": (told_of(worker(0, PodPhase.PENDING), WAITING), 5, None),
    "a worker that just started": (told_of(started(0, 4), WAITING), 5, 6),
    "a worker that started a moment ago": (told_of(started(0, 3), WAITING), 5, 5),
    "of two the one that started first": (told_of(started(0, 4), started(1, 5)), 5, 6),
    "a node whose clock is ahead": (told_of(started(0, 60), WAITING), 5, 5),
    "a pod that does not say since when": (told_of(worker(0), WAITING), 5, 5),
    "a worker that ended well": (told_of(worker(0, PodPhase.SUCCEEDED), WAITING), 5, 5),
    "a launcher without a pod yet": (
        told_of(worker(0, PodPhase.PENDING), WAITING, launcher=launcher(active_count=0)),
        5,
        None,
    ),
    "the end": (
        told_of(started(0, 5), started(1, 5), launcher=launcher(end=End(True, "", "", NOON))),
        5,
        5,
    ),
}


@pytest.mark.parametrize(("world", "now_s", "want_s"), CASES.values(), ids=CASES)
def test_a_status_is_worth_a_write(world, now_s, want_s):
    now = seconds_later(now_s)
    want = None if want_s is None else seconds_later(want_s)
    assert write_at(world, next_status(world, now), now) == want


def test_of_pods_that_are_told_of_nothing_is_waited_for():
    world = told_of(started(0, 1), started(1, 4))
    told = replace(world.job.status, worker=ReplicaCount(active=1), ready="1/2")
    world = replace(world, job=replace(world.job, status=told))
    now = seconds_later(5)
    assert write_at(world, next_status(world, now), now) == seconds_later(6)


def test_a_look_is_planned_for_when_a_count_is_worth_a_write():
    plan = reconcile(told_of(started(0, 4), WAITING), seconds_later(5), CONFIG)
    assert plan.wake_at == seconds_later(6)


def test_a_job_whose_pods_start_together_is_written_twice_until_it_runs():
    # New, and running: the counts in between are never worth a write of their own.
    workers = tuple(started(number, 0.0) for number in range(4))
    world = running(job(4), workers=(), launcher_pods=(PENDING,))
    written = 0
    for step in range(6):
        seen = replace(
            world,
            workers=workers[:step],
            launcher_pods=(launcher_pod(running_since=NOON),) if step == 5 else (PENDING,),
        )
        plan = reconcile(seen, NOON, CONFIG)
        for write in (each for each in plan.steps if isinstance(each, WriteStatus)):
            written += 1
            world = replace(world, job=replace(world.job, status=write.status))
    assert written == 2


def test_a_job_that_is_made_suspended_is_written_once():
    world = plumbed(job(run_policy=RunPolicy(suspended=True)))
    told = replace(world.job, status=next_status(world, NOON))
    held = replace(world, job=told, launcher=launcher(suspended=True, active_count=0))
    assert write_at(held, next_status(held, NOON), NOON) is None
