"""What a cluster is made of, and how one of that shape is brought up."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.fake_nodes import fake_nodes


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
            plane = running.enter_context(
                ControlPlane(folder, has_controllers=shape.has_controllers)
            )
            cluster = plane.cluster
            if shape.fake_node_count:
                binaries = running.enter_context(fake_nodes(plane, shape.fake_node_count))
                cluster = replace(cluster, binaries={**cluster.binaries, **binaries})
            yield cluster
    finally:
        _clear(folder)


def _clear(folder: Path) -> None:
    """Leave nothing in a cluster's folder but what its processes wrote: no key, no token."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix not in (".log", ".json", ".pid"):
            path.unlink()
