"""A kubelet's report becomes the status of a pod."""

from datetime import UTC, datetime

import pytest

from mpijob.cluster.pod_status import (
    Report,
    container_rows,
    running,
    status_of,
    terminated,
    waiting,
)

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOON.replace(second=5)
STATES = {
    "it waits": (waiting(), {"waiting": {"reason": "ContainerCreating"}}),
    "it waits, and says what for": (
        waiting("ErrImagePull", "no such image"),
        {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
    ),
    "it runs": (running(NOON), {"running": {"startedAt": "2026-01-01T12:00:00Z"}}),
    "it ended well": (
        terminated(0, finished_at=LATER, started_at=NOON),
        {
            "terminated": {
                "exitCode": 0,
                "reason": "Completed",
                "startedAt": "2026-01-01T12:00:00Z",
                "finishedAt": "2026-01-01T12:00:05Z",
            }
        },
    ),
    "it ended badly, with last words": (
        terminated(137, finished_at=LATER, reason="OOMKilled", message="bye"),
        {
            "terminated": {
                "exitCode": 137,
                "reason": "OOMKilled",
                "message": "bye",
                "startedAt": "2026-01-01T12:00:05Z",
                "finishedAt": "2026-01-01T12:00:05Z",
            }
        },
    ),
}


@pytest.mark.parametrize(("state", "want"), STATES.values(), ids=STATES)
def test_the_state_of_a_container(state, want):
    assert state == want


@pytest.fixture
def bare():
    return {
        "metadata": {},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]},
        "status": {"qosClass": "Burstable", "conditions": [{"type": "Mine", "status": "True"}]},
    }


def test_what_others_said_of_a_pod_stays(bare):
    status = status_of(bare, Report("Pending", container_rows(bare)), NOON)
    assert (status["qosClass"], status["conditions"][-1]) == (
        "Burstable",
        {"type": "Mine", "status": "True"},
    )


def test_the_same_report_makes_the_same_status(bare):
    report = Report("Pending", container_rows(bare), reason="Why", message="So", pod_ip="10.0.0.9")
    once = status_of(bare, report, NOON)
    assert status_of(bare | {"status": once}, report, LATER) == once


def test_a_container_that_is_started_again_keeps_its_former_end(bare):
    (row,) = container_rows(bare)
    ended = terminated(1, finished_at=NOON)
    again = row.now(ended).again(running(LATER), 1)
    assert (again.last_state, again.restart_count, again.ready) == (ended, 1, False)
