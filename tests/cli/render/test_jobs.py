"""What a job's row says."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.cli.render.jobs import row, state
from mpijob.core.draft import Draft, ReplicaDraft
from mpijob.core.job import Identity, Key, Rejected
from mpijob.core.status import Condition, ConditionType, JobStatus, ReplicaCount

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PI = Draft(
    identity=Identity(Key("default", "pi"), "u1", "7", created_at=NOON),
    replicas={"Launcher": ReplicaDraft(1), "Worker": ReplicaDraft(2)},
    slots_per_worker=4,
)


def _status(*true: ConditionType, **fields: object) -> JobStatus:
    rows = tuple(Condition(type_, True, f"Job{type_}", "", NOON, NOON) for type_ in true)
    return JobStatus(conditions=rows, **fields)


def test_a_running_job():
    status = _status(
        ConditionType.CREATED,
        ConditionType.RUNNING,
        launcher=ReplicaCount(active=1),
        worker=ReplicaCount(active=2),
        started_at=NOON,
        restarts=1,
    )
    assert row(replace(PI, status=status), NOON + timedelta(seconds=90)) == {
        "NAMESPACE": "default",
        "NAME": "pi",
        "STATE": "Running",
        "READY": "2/2",
        "RESTARTS": "1",
        "AGE": "90s",
        "DURATION": "90s",
        "WORKERS×SLOTS": "2×4",
        "MPI": "OpenMPI",
        "LAUNCHER": "Running",
        "REASON": "JobRunning",
    }


def test_a_job_that_cannot_be_read_has_a_row_too():
    got = row(Rejected(PI.identity, ()), NOON)
    assert (got["NAME"], got["STATE"], got["READY"]) == ("pi", "Invalid", "0/0")


STATES = {
    "nothing said yet": (PI, "Pending"),
    "created alone": (replace(PI, status=_status(ConditionType.CREATED)), "Pending"),
    "asked to wait": (replace(PI, suspended=True), "Suspended"),
    "the end outweighs the way": (
        replace(PI, status=_status(ConditionType.RUNNING, ConditionType.FAILED)),
        "Failed",
    ),
    "a wait outweighs a run": (
        replace(PI, status=_status(ConditionType.SUSPENDED, ConditionType.RUNNING)),
        "Suspended",
    ),
    "on its way out": (replace(PI, identity=replace(PI.identity, deleting=True)), "Terminating"),
}


@pytest.mark.parametrize(("job", "want"), STATES.values(), ids=STATES)
def test_the_state_of_a_job(job, want):
    assert state(job) == want
