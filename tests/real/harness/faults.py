"""What happens to nodes: they are cut off for a while, and their parts are killed."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from harness import cgroups
from harness.api import Object
from harness.cluster import Cluster


@contextlib.contextmanager
def lost(cluster: Cluster, node: str) -> Iterator[None]:
    """Stop a node with all that runs on it, as if its power failed; afterwards it goes on."""
    group = _group(cluster, node)
    cgroups.freeze(group, frozen=True)
    try:
        yield
    finally:
        cgroups.freeze(group, frozen=False)


def kill(cluster: Cluster, node: str, part: str) -> None:
    """Kill a node's kubelet, containerd or kube-proxy with SIGKILL. It is started again after 1 s.

    The pods' containers go on meanwhile.
    """
    for process in cgroups.processes(_group(cluster, node)):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process}/comm").read_text().strip() == part:
                os.kill(process, signal.SIGKILL)


def kill_container(pod: Object) -> None:
    """Kill the first process of a pod's first container with SIGKILL, as a crash would."""
    (_, _, number) = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if number in (folder / "cgroup").read_text() and _is_first(folder):
                os.kill(int(folder.name), signal.SIGKILL)
                return
    raise LookupError(f"no process of container {number}")


def _is_first(process: Path) -> bool:
    """Whether a process is the first of its own namespace, though not of the machine."""
    rows = (process / "status").read_text().splitlines()
    numbers = next(row.split()[1:] for row in rows if row.startswith("NSpid:"))
    return len(numbers) > 1 and numbers[-1] == "1"


def _group(cluster: Cluster, node: str) -> str:
    return f"{cluster.network}-{node.removeprefix('node-')}"
