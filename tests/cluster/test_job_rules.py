"""A Job's status goes forward only, whoever writes it."""

import pytest

from mpijob.cluster.store import Invalid
from mpijob.core.plan import Kind, Ref

JOB = Ref(Kind.JOB, "default", "j")
NOON, LATER = "2026-01-01T12:00:00Z", "2026-01-01T12:00:05Z"
REMOVED = "status.startTime: Required value: startTime cannot be removed for unsuspended job"


def true(*types):
    return {"conditions": [{"type": type_, "status": "True"} for type_ in types]}


CASES = {
    "a count grows": (False, {"failed": 1}, {"failed": 2}, ""),
    "a count shrinks": (
        False,
        {"failed": 2},
        {"failed": 1},
        "status.failed: Invalid value: 1: cannot decrease the failed counter",
    ),
    "an end is taken back": (
        False,
        true("Failed"),
        {"conditions": []},
        "status.conditions: Invalid value: cannot disable the terminal Failed=True condition",
    ),
    "a success is taken back": (
        False,
        true("SuccessCriteriaMet"),
        {"conditions": []},
        "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
    ),
    "an end is put off": (
        False,
        true("Complete") | {"completionTime": NOON},
        {"completionTime": LATER},
        "status.completionTime: Invalid value: completionTime cannot be mutated",
    ),
    "more pods are ready than there are": (
        False,
        {},
        {"ready": 1},
        "status.ready: Invalid value: 1: cannot set more ready pods than active",
    ),
    "a job that runs loses its start": (False, {"startTime": NOON}, {"startTime": None}, REMOVED),
    "a job that runs starts later": (
        False,
        {"startTime": NOON},
        {"startTime": LATER},
        (
            f'status.startTime: Invalid value: "{LATER}": '
            "field is immutable for unsuspended job once set"
        ),
    ),
    "a job is complete and is not": (
        False,
        {},
        {"completionTime": LATER},
        (
            f'status.completionTime: Invalid value: "{LATER}": '
            "cannot set completionTime when there is no Complete=True condition"
        ),
    ),
    "a suspended job loses its start": (True, {"startTime": NOON}, {"startTime": None}, ""),
    "a job that is resumed starts anew": (
        False,
        {"startTime": NOON} | true("Suspended"),
        {"startTime": LATER, "conditions": [{"type": "Suspended", "status": "False"}]},
        "",
    ),
}


@pytest.mark.parametrize(("suspend", "before", "after", "told"), CASES.values(), ids=CASES)
def test_when(cluster, job, suspend, before, after, told):
    cluster.make(job(suspend=suspend))
    cluster.store.patch(JOB, {"status": before}, now=cluster.now, subresource="status")
    assert refusal(cluster, after) == (f'Job.batch "j" is invalid: {told}' if told else "")


def refusal(cluster, status):
    try:
        cluster.store.patch(JOB, {"status": status}, now=cluster.now, subresource="status")
    except Invalid as refused:
        return refused.message
    return ""
