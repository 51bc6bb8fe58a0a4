"""How far a job has come."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.cli.render.progress import headline, progress
from mpijob.core.job import Identity, Key, MPIJob, Rejected, Replica, RestartPolicy, RunPolicy
from mpijob.core.observed import Observed, PodPhase, PodView
from mpijob.core.status import Condition, ConditionType, JobStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PI = MPIJob(
    Identity(Key("default", "pi"), "u1", "7", created_at=NOON),
    launcher=Replica(1, RestartPolicy.ON_FAILURE, {}),
    worker=Replica(2, RestartPolicy.NEVER, {}),
)
READY = PodView("pi-worker-0", "p0", "u1", "1", PodPhase.RUNNING, ready=True, node="here")
HELD = PodView("pi-worker-1", "p1", "u1", "1", unschedulable="0/1 nodes are available")
LAUNCHER = PodView("pi-launcher-x", "p2", "l1", "1", PodPhase.RUNNING, ready=True, node="here")


def test_each_worker_has_a_line_and_what_hinders_comes_last():
    assert progress(Observed(PI, workers=(READY, HELD)), NOON + timedelta(seconds=3)) == [
        "pi: 1 of 2 workers are ready  3s",
        "  pi-worker-0  ready",
        "  pi-worker-1  waits for room",
        "  pod pi-worker-1 cannot be scheduled: 0/1 nodes are available",
    ]


def test_many_workers_are_counted():
    many = replace(PI, worker=Replica(100, RestartPolicy.NEVER, {}))
    assert progress(Observed(many), NOON) == ["pi: 0 of 100 workers are ready  0s"]


def test_a_job_that_cannot_be_read():
    assert progress(Observed(Rejected(PI.identity, ())), NOON) == ["pi is invalid"]


RESTARTING = JobStatus((Condition(ConditionType.RESTARTING, True, "", "", NOON, NOON),))
READY_1 = replace(READY, name="pi-worker-1")

HEADLINES = {
    "nothing there yet": (Observed(PI), "0 of 2 workers are ready"),
    "all workers there": (Observed(PI, workers=(READY, READY_1)), "the launcher starts"),
    "the launcher runs": (
        Observed(PI, workers=(READY,), launcher_pods=(LAUNCHER,)),
        "the launcher runs",
    ),
    "held back": (Observed(replace(PI, run_policy=RunPolicy(suspended=True))), "suspended"),
    "once more": (
        Observed(replace(PI, status=RESTARTING)),
        "starting again, since a worker died",
    ),
}


@pytest.mark.parametrize(("observed", "want"), HEADLINES.values(), ids=HEADLINES)
def test_the_headline(observed, want):
    assert headline(observed) == want
