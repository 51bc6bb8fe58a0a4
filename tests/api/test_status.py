"""The status on the wire: there, back, and as a merge patch."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.api.versions import decode_status, encode_status
from mpijob.core.status import Condition, ConditionType, Failure, JobStatus, ReplicaCount

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

moments = st.integers(0, 10**9).map(lambda s: NOON + timedelta(seconds=s))
counts = st.builds(ReplicaCount, *[st.integers(0, 9)] * 3)
texts = st.text(max_size=20)
conditions = st.builds(
    Condition, st.sampled_from(ConditionType), st.booleans(), texts, texts, moments, moments
)
failures = st.builds(
    Failure,
    pod=texts,
    uid=texts,
    reason=texts,
    message=texts,
    node=texts,
    exit_code=st.none() | st.integers(-1, 255),
    at=st.none() | moments,
)
statuses = st.builds(
    JobStatus,
    conditions=st.lists(conditions, max_size=8, unique_by=lambda c: c.type).map(tuple),
    launcher=st.none() | counts,
    worker=st.none() | counts,
    started_at=st.none() | moments,
    completed_at=st.none() | moments,
    restarts=st.integers(0, 9),
    failure=st.none() | failures,
    ready=texts,
)


def merged(old, patch):
    """Return what a JSON merge patch (RFC 7386) makes of `old`."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value)
    return new


def through_json(value):
    return msgspec.json.decode(msgspec.json.encode(value))


@given(statuses)
def test_a_status_comes_back_as_it_was(status):
    assert decode_status(through_json(merged({}, encode_status(status)))) == status


@given(statuses, statuses)
def test_nothing_of_an_older_status_stays(old, new):
    stored = merged(merged({}, encode_status(old)), encode_status(new))
    assert stored == merged({}, encode_status(new))


def test_a_finished_job_has_the_shape_that_mpi_operator_writes_and_a_line_for_people():
    status = JobStatus(
        conditions=(
            Condition(ConditionType.SUCCEEDED, True, "MPIJobSucceeded", "Done.", NOON, NOON),
        ),
        launcher=ReplicaCount(succeeded=1),
        worker=ReplicaCount(),
        started_at=NOON,
        completed_at=NOON,
        ready="0/2",
    )
    assert merged({}, encode_status(status)) == {
        "conditions": [
            {
                "type": "Succeeded",
                "status": "True",
                "reason": "MPIJobSucceeded",
                "message": "Done.",
                "lastUpdateTime": "2026-01-01T12:00:00Z",
                "lastTransitionTime": "2026-01-01T12:00:00Z",
            }
        ],
        "replicaStatuses": {"Launcher": {"succeeded": 1}, "Worker": {}},
        "startTime": "2026-01-01T12:00:00Z",
        "completionTime": "2026-01-01T12:00:00Z",
        "restarts": 0,
        "state": "Succeeded",
        "ready": "0/2",
    }


def row(**fields):
    return {"conditions": [{"type": "Created", "status": "True"} | fields]}


def created(**times):
    epoch = {"updated_at": datetime(1970, 1, 1, tzinfo=UTC)}
    return Condition(
        ConditionType.CREATED,
        true=True,
        reason="",
        message="",
        **(epoch | {"changed_at": epoch["updated_at"]} | times),
    )


ODD = {
    "none": (None, JobStatus()),
    "a list": ([], JobStatus()),
    "a condition of a type that nobody knows": (
        {"conditions": [{"type": "Odd", "status": "True"}]},
        JobStatus(),
    ),
    "a condition without times": (row(), JobStatus((created(),))),
    "a condition with one time of two": (
        row(lastTransitionTime="2026-01-01T12:00:00Z"),
        JobStatus((created(updated_at=NOON, changed_at=NOON),)),
    ),
    "fractions of a second": ({"startTime": "2026-01-01T12:00:00.75Z"}, JobStatus(started_at=NOON)),
    "another time zone": ({"startTime": "2026-01-01T13:00:00+01:00"}, JobStatus(started_at=NOON)),
    "no time zone": ({"startTime": "2026-01-01T12:00:00"}, JobStatus(started_at=NOON)),
    "a wrong part, and a right one": (
        {"startTime": "noon", "conditions": "none", "restarts": 2},
        JobStatus(restarts=2),
    ),
    "a failure without a pod": ({"failure": {"reason": "Evicted"}}, JobStatus()),
}


@pytest.mark.parametrize(("status", "read"), ODD.values(), ids=ODD)
def test_an_odd_status_is_read_as_far_as_it_can_be(status, read):
    assert decode_status(status) == read
