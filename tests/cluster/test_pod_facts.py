"""What a pod's manifest tells of the pod."""

from datetime import UTC, datetime

import pytest

from mpijob.cluster.pod_facts import ended_at, is_active, is_ready, is_terminating, restart_count

AT = "2026-01-01T12:00:30Z"
CREATED = {"creationTimestamp": "2026-01-01T12:00:00Z"}


def terminated(at):
    return {"state": {"terminated": {"exitCode": 1, "finishedAt": at}}}


ENDS = {
    "the last of its containers' ends": (
        {"metadata": CREATED, "status": {"containerStatuses": [terminated(AT), terminated(AT)]}},
        30,
    ),
    "when it ceased to be ready, where a container has no end": (
        {
            "metadata": CREATED,
            "status": {
                "containerStatuses": [terminated(AT), {"state": {}}],
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "False",
                        "lastTransitionTime": "2026-01-01T12:00:20Z",
                    }
                ],
            },
        },
        20,
    ),
    "when its deletion was asked for, before its grace": (
        {
            "metadata": CREATED
            | {
                "deletionTimestamp": "2026-01-01T12:00:40Z",
                "deletionGracePeriodSeconds": 30,
            },
            "status": {},
        },
        10,
    ),
    "its creation, where nothing else is known": ({"metadata": CREATED, "status": {}}, 0),
}


@pytest.mark.parametrize(("pod", "seconds"), ENDS.values(), ids=ENDS)
def test_a_pod_ended(pod, seconds):
    assert ended_at(pod) == datetime(2026, 1, 1, 12, 0, seconds, tzinfo=UTC)


LIVES = {
    "one that runs is active": ("Running", {}, (True, False)),
    "one that is to end is terminating": ("Running", {"deletionTimestamp": AT}, (False, True)),
    "one that has ended is neither": ("Failed", {}, (False, False)),
    "one that has ended and is to go is neither": (
        "Succeeded",
        {"deletionTimestamp": AT},
        (False, False),
    ),
}


@pytest.mark.parametrize(("phase", "metadata", "want"), LIVES.values(), ids=LIVES)
def test_a_pod_is_active_or_terminating(phase, metadata, want):
    pod = {"metadata": metadata, "status": {"phase": phase}}
    assert (is_active(pod), is_terminating(pod)) == want


@pytest.mark.parametrize(
    ("status", "ready"), [("True", True), ("False", False), ("Unknown", False)]
)
def test_a_pod_is_ready_when_it_says_so(status, ready):
    pod = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
    assert is_ready(pod) is ready


def test_restarts_of_init_containers_count():
    status = {
        "initContainerStatuses": [{"restartCount": 2}],
        "containerStatuses": [{"restartCount": 1}, {}],
    }
    assert restart_count({"metadata": {}, "status": status}) == 3
