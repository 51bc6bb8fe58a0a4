"""What follows from how a pod's containers are: its phase, and when one is started again."""

from __future__ import annotations

from collections.abc import Sequence

from mpijob.cluster.pod_status import ContainerStatus

#: The pauses before a container is started again; the first restart comes at once.
BACK_OFF_S = 10.0
BACK_OFF_MAX_S = 300.0
#: A container that ran this long begins with the shortest pause again.
FORGIVEN_AFTER_S = 2 * BACK_OFF_MAX_S


def phase_of(
    containers: Sequence[ContainerStatus],
    init_containers: Sequence[ContainerStatus],
    restart_policy: str,
) -> str:
    """Return the phase of a pod.

    Source: `getPhase`, Kubernetes 1.36 (pkg/kubelet/kubelet_pods.go).
    """
    for row in init_containers:
        if row.ended_well:
            continue
        failed = "terminated" in row.state
        return "Failed" if failed and restart_policy == "Never" else "Pending"
    if any("waiting" in row.state and not row.last_state for row in containers):
        return "Pending"
    if any("running" in row.state or "waiting" in row.state for row in containers):
        return "Running"
    if restart_policy == "Always":
        return "Running"
    if all(row.ended_well for row in containers):
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def is_started_again(exit_code: int, restart_policy: str, *, init: bool) -> bool:
    """Say whether a container that ended so is started again."""
    match restart_policy:
        case "Always":
            return exit_code != 0 or not init
        case "OnFailure":
            return exit_code != 0
        case _:
            return False


def pause_s(restart_count: int) -> float:
    """Return how long to wait before the next start of a container, in seconds.

    Args:
        restart_count: How often it was started again before, since it last ran for long.

    """
    if restart_count == 0:
        return 0.0
    return float(min(BACK_OFF_S * 2 ** min(restart_count - 1, 10), BACK_OFF_MAX_S))
