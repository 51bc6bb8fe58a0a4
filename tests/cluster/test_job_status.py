"""A Job's status adds up."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.job_status import DONE, TOO_LATE, TOO_MANY_FAILURES, JobState, end_of

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
HOLD = "hold"
PHASES = st.sampled_from(["Pending", "Running", "Succeeded", "Failed"])


def pod(number, phase, *, held, deleting):
    metadata = {"uid": f"u{number}", "finalizers": [HOLD] if held else []}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return {"metadata": metadata, "status": {"phase": phase}}


PODS = st.lists(st.tuples(PHASES, st.booleans(), st.booleans()), max_size=6).map(
    lambda rows: [
        pod(number, phase, held=held, deleting=deleting)
        for number, (phase, held, deleting) in enumerate(rows)
    ]
)


def job(policy="Failed", **status):
    spec = {"backoffLimit": 6, "podReplacementPolicy": policy, "template": {"spec": {}}}
    return {"spec": spec, "status": status}


@given(PODS, st.sampled_from(["Failed", "TerminatingOrFailed"]))
def test_a_pod_is_in_one_count_at_most(pods, policy):
    state = JobState.seen(job(policy), pods, HOLD)
    counts = state.active + state.succeeded_count + state.failed_count
    assert counts <= len(pods)


@given(PODS)
def test_adding_up_keeps_the_sums(pods):
    state = JobState.seen(job(succeeded=2, failed=3), pods, HOLD)
    before = (state.succeeded_count, state.failed_count)
    state.note([pod for pod in state.tracked if state.is_countable(pod, None)], None, NOON)
    state.add_up()
    assert (state.fields.get("succeeded", 0), state.fields.get("failed", 0)) == before


def test_a_verdict_once_given_stands():
    row = {"type": "FailureTarget", "status": "True", "lastTransitionTime": "x"}
    told = row | {"reason": TOO_LATE.reason, "message": TOO_LATE.message}
    assert JobState.seen(job(conditions=[told]), [], HOLD).verdict(NOON) == TOO_LATE


def test_too_many_failures_come_before_too_late():
    late = job(failed=7, startTime="2026-01-01T11:00:00Z")
    late["spec"]["activeDeadlineSeconds"] = 1
    assert JobState.seen(late, [], HOLD).verdict(NOON) == TOO_MANY_FAILURES


def test_a_job_has_an_end_when_its_last_condition_is_true():
    state = JobState.seen(job(), [], HOLD)
    state.end(DONE, NOON)
    assert end_of({"status": state.manifest()})["type"] == "Complete"
