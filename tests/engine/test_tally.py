"""What an operator counts."""

from msgspec.structs import replace

from mpijob.core.report import next_status
from mpijob.core.status import JobStatus
from mpijob.engine.tally import Histogram, Tally
from mpijob.testing.worlds import NOON, fresh, job, running, seconds_later


def test_a_job_is_counted_when_it_is_created_and_when_it_runs():
    created = next_status(fresh(job()), NOON)
    runs = next_status(running(replace(job(), status=created)), seconds_later(3))
    tally = Tally()
    tally.told(JobStatus(), created, NOON)
    tally.told(created, runs, seconds_later(3))
    tally.told(runs, runs, seconds_later(9))
    launcher = tally.start_s["launcher"]
    assert (tally.created, launcher.sum, sum(launcher.counts)) == (1, 3.0, 1)


def test_a_start_is_timed_until_all_workers_run_and_until_the_launcher_does():
    begun = JobStatus(started_at=NOON, ready="0/2")
    some, all_run = replace(begun, ready="1/2"), replace(begun, ready="2/2")
    tally = Tally()
    for old, new, second in ((begun, some, 1), (some, all_run, 2), (all_run, some, 3)):
        tally.told(old, new, seconds_later(second))
    assert {phase: told.sum for phase, told in tally.start_s.items()} == {
        "workers": 2.0,
        "launcher": 0.0,
    }


def test_a_clock_that_is_behind_makes_no_start_negative():
    begun = JobStatus(started_at=seconds_later(60), ready="0/2")
    tally = Tally()
    tally.told(begun, replace(begun, ready="2/2"), NOON)
    assert tally.start_s["workers"].counts[0] == 1


def test_a_job_without_workers_is_not_one_whose_workers_run():
    begun = JobStatus(started_at=NOON)
    tally = Tally()
    tally.told(begun, replace(begun, ready="0/0"), NOON)
    assert sum(tally.start_s["workers"].counts) == 0


def test_looks_are_counted_by_how_they_ended():
    tally = Tally()
    tally.looked("done", 0.002)
    tally.looked("failed", 0.2)
    assert (tally.looks, sum(tally.look_s.counts)) == ({"done": 1, "failed": 1}, 2)


def test_a_bucket_holds_what_is_no_more_than_its_bound():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        histogram.add(value)
    assert histogram.counts == [2, 1, 1]
