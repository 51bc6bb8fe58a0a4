"""Builders of small manifests, a moment, and stores to put them in."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from mpijob.cluster.store import Store
from mpijob.core.job import Manifest

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class Cluster:
    """A store, a clock that is set by hand, and uids in order."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = NOON
        self.uids = count(1)

    def make(self, manifest: Manifest, **changes: Any) -> Manifest:
        """Create an object with the next uid."""
        return self.store.create(manifest | changes, now=self.now, uid=f"u{next(self.uids)}")


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def config_map() -> Callable[..., dict[str, Any]]:
    def build(name: str = "c", **metadata: Any) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "default", "name": name, **metadata},
            "data": {"a": "1"},
        }

    return build


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    def build(name: str = "p", **spec: Any) -> dict[str, Any]:
        containers = [{"name": "main", "image": "example/mpi:1"}]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "default", "name": name},
            "spec": {"containers": containers, **spec},
        }

    return build


@pytest.fixture
def job() -> Callable[..., dict[str, Any]]:
    def build(name: str = "j", **spec: Any) -> dict[str, Any]:
        template = {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "example/mpi:1"}],
            }
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": "default", "name": name},
            "spec": {"podReplacementPolicy": "Failed", "template": template, **spec},
        }

    return build
