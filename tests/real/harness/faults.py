"""What happens to nodes: they are cut off for a while, and their parts are killed."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from harness import cgroups
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


def _group(cluster: Cluster, node: str) -> str:
    return f"{cluster.network}-{node.removeprefix('node-')}"
