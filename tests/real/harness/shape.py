"""What a cluster is made of, and how one of that shape is brought up."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness import enclosure
from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.fake_nodes import fake_nodes
from harness.names import serve_names
from harness.network import Network
from harness.ports import LOOPBACK
from harness.real_node import RealNode
from harness.registry import serve_images

#: The address is the cluster's own, so that nobody else has the port.
REGISTRY_PORT = 5000


@dataclass(frozen=True, slots=True)
class Shape:
    """How many nodes a cluster has: fake ones, whose pods only say that they run, and real ones.

    Without controllers there is an API server alone: nothing happens but what it is asked for.
    """

    fake_node_count: int = 0
    node_count: int = 0
    has_controllers: bool = True

    @property
    def words(self) -> list[str]:
        """The shape as words of the command line."""
        counts = ["--fake-nodes", str(self.fake_node_count), "--nodes", str(self.node_count)]
        return counts if self.has_controllers else [*counts, "--no-controllers"]


@contextlib.contextmanager
def started(folder: Path, shape: Shape) -> Iterator[Cluster]:
    """Bring up a cluster of that shape in `folder`; afterwards only its logs are left there."""
    try:
        with contextlib.ExitStack() as running:
            if shape.node_count:
                enclosure.require_namespaces()
            network = running.enter_context(Network(folder)) if shape.node_count else None
            plane = ControlPlane(
                folder,
                address=network.machine if network else LOOPBACK,
                has_controllers=shape.has_controllers,
            )
            running.enter_context(plane)
            cluster = plane.cluster
            if network:
                cluster = running.enter_context(_real_nodes(plane, network, shape.node_count))
            if shape.fake_node_count:
                fakes = fake_nodes(plane, shape.fake_node_count, tainted=shape.node_count > 0)
                binaries = running.enter_context(fakes)
                cluster = replace(cluster, binaries={**cluster.binaries, **binaries})
            yield cluster
    finally:
        _clear(folder)


@contextlib.contextmanager
def _real_nodes(plane: ControlPlane, network: Network, count: int) -> Iterator[Cluster]:
    """Give a cluster real nodes, names for their pods and a registry for their images."""
    with contextlib.ExitStack() as running:
        running.callback(serve_names(plane, network).stop)
        registry = f"{network.machine}:{REGISTRY_PORT}"
        running.callback(serve_images(plane.folder, network.machine, REGISTRY_PORT).stop)
        nodes = [RealNode(plane, network, index, registry) for index in range(count)]
        for node in nodes:
            running.callback(node.stop)
            node.start()
        names = tuple(node.name for node in nodes)
        yield replace(plane.cluster, nodes=names, network=network.name, registry=registry)


def _clear(folder: Path) -> None:
    """Leave nothing in a cluster's folder but what its processes wrote: no key, no token."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix not in (".log", ".json", ".pid"):
            path.unlink()
