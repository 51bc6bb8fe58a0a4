"""Nodes that only say what a node would say, by KWOK: thousands of pods cost next to nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.binaries import FAKE_NODES, provided
from harness.control_plane import ControlPlane
from harness.processes import Process

STAGES = Path(__file__).with_name("stages.yaml")
MARK = "kwok.x-k8s.io/node"
LABEL = "mpijob.dev/fake-node"
GPU = "nvidia.com/gpu"
#: Every so many-th fake node has GPUs.
GPU_EVERY = 4
GPU_COUNT = 8


@contextlib.contextmanager
def fake_nodes(
    plane: ControlPlane, count: int, *, tainted: bool = False
) -> Iterator[dict[str, str]]:
    """Give a cluster `count` fake nodes that are ready, and yield the programs it took.

    Every fourth has 8 GPUs. With `tainted` no pod goes there that does not ask for it.
    """
    binaries = provided(FAKE_NODES)
    words: list[str | Path] = [
        binaries["kwok"],
        f"--kubeconfig={plane.folder / 'kubeconfig'}",
        f"--config={STAGES}",
        f"--manage-nodes-with-annotation-selector={MARK}=fake",
        "--node-lease-duration-seconds=40",
        # Addresses that are nobody's: RFC 5737 and RFC 6598 keep them for documents and carriers.
        "--node-ip=192.0.2.1",
        "--cidr=100.64.0.0/16",
    ]
    process = Process("kwok", words, plane.folder / "kwok.log")
    try:
        with plane.cluster.api("harness") as api:
            for index in range(count):
                api.create("/api/v1/nodes", node(index, tainted=tainted))
            last = f"fake-{count - 1}"
            query = {"fieldSelector": f"metadata.name={last}"}
            process.wait_until(
                lambda: any(map(is_ready, api.read("/api/v1/nodes", **query)["items"]))
            )
        yield {name: str(path) for name, path in binaries.items()}
    finally:
        process.stop()


def node(index: int, *, tainted: bool = False) -> dict[str, Any]:
    """Return the manifest of a fake node with room for thousands of pods."""
    name = f"fake-{index}"
    room = {"cpu": "1000", "memory": "4Ti", "pods": "10000", "ephemeral-storage": "1Ti"}
    if index % GPU_EVERY == 0:
        room[GPU] = str(GPU_COUNT)
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        LABEL: "true",
    }
    taints = [{"key": LABEL, "value": "true", "effect": "NoSchedule"}] if tainted else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {MARK: "fake"}},
        "spec": {"taints": taints},
        "status": {"capacity": room, "allocatable": room},
    }


def is_ready(manifest: dict[str, Any]) -> bool:
    """Whether a node (or a pod) says that it is ready."""
    conditions = manifest.get("status", {}).get("conditions", ())
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)
