"""What Flyte's backend makes of the status of a v1 job, told at every step of its life."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mpijob.api import flyte
from mpijob.api.flyte import FlytePhase, Unreadable
from mpijob.api.status import encode_status
from mpijob.core.job import Identity, Key, Problem, Rejected
from mpijob.core.observed import End, PodPhase
from mpijob.core.report import next_status
from mpijob.core.status import JobStatus
from mpijob.core.version import Version
from mpijob.testing.worlds import NOON, fresh, job, launcher, launcher_pod, plumbed, worker


def row(type_, second, status="True"):
    return {
        "type": type_,
        "status": status,
        "lastTransitionTime": f"2026-01-01T12:00:{second:02}Z",
    }


READ = {
    "nothing told": ([], FlytePhase.QUEUED),
    "made": ([row("Created", 1)], FlytePhase.QUEUED),
    "running": ([row("Created", 1), row("Running", 2)], FlytePhase.RUNNING),
    "starting anew": (
        [row("Created", 1), row("Running", 3, "False"), row("Restarting", 3)],
        FlytePhase.RUNNING,
    ),
    "suspended": ([row("Created", 1), row("Suspended", 2)], FlytePhase.QUEUED),
    "ended well": (
        [row("Created", 1), row("Running", 2, "False"), row("Succeeded", 2)],
        FlytePhase.SUCCEEDED,
    ),
    "ended badly": ([row("Created", 1), row("Failed", 2)], FlytePhase.FAILED),
    "ended in the second of its creation: never seen": (
        [row("Created", 1), row("Succeeded", 1)],
        FlytePhase.QUEUED,
    ),
}


@pytest.mark.parametrize(("rows", "want"), READ.values(), ids=READ)
def test_flyte_reads(rows, want):
    assert flyte.phase({"conditions": rows}) is want


UNREADABLE = {
    "no condition is true": [row("Created", 1, "False")],
    "the newest is one that it does not know": [row("Created", 1), row("Blocked", 2)],
}


@pytest.mark.parametrize("rows", UNREADABLE.values(), ids=UNREADABLE)
def test_flyte_makes_nothing_of(rows):
    with pytest.raises(Unreadable):
        flyte.phase({"conditions": rows})


def test_a_job_that_nobody_begins_is_given_up_after_a_minute():
    told = [flyte.overdue({}, NOON, NOON + timedelta(seconds=s)) for s in (60, 61)]
    begun = {"startTime": "2026-01-01T12:00:00Z"}
    assert (*told, flyte.overdue(begun, NOON, NOON + timedelta(hours=1))) == (False, True, False)


# What we tell, at every step, in any world, however short the job's life.

DONE = End(succeeded=True, reason="", message="", at=NOON)
ENDS = [None, DONE, replace(DONE, succeeded=False, reason="Error")]
phases = st.sampled_from(PodPhase)
MADE = job()
INVALID = (Problem("spec.slotsPerWorker", "Invalid value", "must be greater than or equal to 0"),)


def world(phase, end, *, taken):
    """What is seen of a job whose pods are in a phase and whose launcher has that end."""
    owner = "stranger" if taken else MADE.identity.uid
    pods = (launcher_pod(phase),)
    workers = (worker(0, phase, owner_uid=owner), worker(1, phase))
    return plumbed(MADE, launcher=launcher(end=end), launcher_pods=pods, workers=workers)


worlds = st.builds(
    world, phases, st.sampled_from(ENDS), taken=st.sampled_from([False, False, True])
)
#: How many seconds pass before the next look, what is seen then, and whether the job is sound.
looks = st.tuples(st.sampled_from([0, 0, 0, 1, 1, 5]), worlds, st.sampled_from([True, True, False]))


def told(steps):
    """Yield each status that is told of a v1 job, looked at again and again."""
    identity = replace(MADE.identity, written_in=Version.V1)
    status, now = JobStatus(), NOON
    for seconds, seen, sound in (*steps, (1, steps[-1][1], True)):
        now += timedelta(seconds=seconds)
        subject = replace(MADE, identity=identity, status=status)
        if not sound:
            subject = Rejected(identity, INVALID, status)
        status = next_status(replace(seen, job=subject), now)
        yield status


@given(st.lists(looks, min_size=1, max_size=8))
def test_whatever_happens_flyte_reads_what_is_meant(steps):
    for status in told(steps):
        read = flyte.phase(encode_status(status))
        assert (read in flyte.ENDS) == status.finished


@given(st.lists(looks, min_size=1, max_size=8))
def test_an_end_that_flyte_has_read_is_never_another(steps):
    read = [flyte.phase(encode_status(status)) for status in told(steps)]
    first = next((index for index, phase in enumerate(read) if phase in flyte.ENDS), len(read))
    assert len(set(read[first:])) <= 1


def test_a_job_that_is_over_within_its_first_second_is_read_as_ended_in_the_next():
    over = plumbed(MADE, launcher=launcher(end=DONE))
    steps = [(0, over, True), (0, over, True)]
    read = [flyte.phase(encode_status(status)) for status in told(steps)]
    assert read == [FlytePhase.QUEUED, FlytePhase.QUEUED, FlytePhase.SUCCEEDED]


def test_an_invalid_job_has_failed_for_flyte():
    rejected = Rejected(Identity(Key("d", "pi"), "u", "1", written_in=Version.V1), INVALID)
    assert flyte.phase(encode_status(next_status(fresh(rejected), NOON))) is FlytePhase.FAILED
