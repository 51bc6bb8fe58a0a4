"""What follows from how a pod's containers are: its phase, and when one is started again."""

from datetime import UTC, datetime

import pytest

from mpijob.cluster.pod_phase import is_started_again, pause_s, phase_of
from mpijob.cluster.pod_status import ContainerStatus, running, terminated, waiting

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WAITS = waiting()
RUNS = running(NOON)
WELL = terminated(0, finished_at=NOON)
BADLY = terminated(1, finished_at=NOON)


def row(state, last=None):
    return ContainerStatus("c", "", state, last or {})


PHASES = {
    "nothing has begun": ([row(WAITS)], [], "Never", "Pending"),
    "it runs": ([row(RUNS)], [], "Never", "Running"),
    "one of two runs": ([row(RUNS), row(WAITS)], [], "Never", "Pending"),
    "it ended well": ([row(WELL)], [], "Never", "Succeeded"),
    "it ended badly": ([row(BADLY)], [], "Never", "Failed"),
    "one of two ended badly, the other runs": ([row(BADLY), row(RUNS)], [], "Never", "Running"),
    "one of two ended badly": ([row(BADLY), row(WELL)], [], "Never", "Failed"),
    "it is about to be started again": ([row(BADLY)], [], "OnFailure", "Running"),
    "it waits to be started again": ([row(WAITS, BADLY)], [], "OnFailure", "Running"),
    "it ended well on failure's policy": ([row(WELL)], [], "OnFailure", "Succeeded"),
    "what is always restarted never ends": ([row(WELL)], [], "Always", "Running"),
    "an init container runs": ([row(WAITS)], [row(RUNS)], "Never", "Pending"),
    "an init container failed for good": ([row(WAITS)], [row(BADLY)], "Never", "Failed"),
    "an init container is tried again": ([row(WAITS)], [row(BADLY)], "OnFailure", "Pending"),
    "the init containers are through": ([row(RUNS)], [row(WELL)], "Never", "Running"),
}


@pytest.mark.parametrize(("containers", "inits", "policy", "want"), PHASES.values(), ids=PHASES)
def test_the_phase_of_a_pod(containers, inits, policy, want):
    assert phase_of(containers, inits, policy) == want


RESTARTS = {
    "never": (1, "Never", False, False),
    "on failure, it failed": (1, "OnFailure", False, True),
    "on failure, it did not": (0, "OnFailure", False, False),
    "always": (0, "Always", False, True),
    "always, but an init container that is through": (0, "Always", True, False),
    "always, and an init container that failed": (1, "Always", True, True),
}


@pytest.mark.parametrize(("code", "policy", "init", "want"), RESTARTS.values(), ids=RESTARTS)
def test_a_container_is_started_again(code, policy, init, want):
    assert is_started_again(code, policy, init=init) is want


def test_the_first_restart_comes_at_once_and_the_later_ones_ever_later():
    assert [pause_s(count) for count in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
