"""A cluster with fake nodes, and a person with every right to it who has `mpijob` at hand."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api import Api
from harness.cluster import Cluster, write_kubeconfig
from harness.control_plane import ControlPlane
from harness.fake_nodes import fake_nodes
from harness.own_operator import MPIJOB, until_one_leads
from harness.processes import Process
from mpijob.generate.settings import NAME

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
CHILDREN = {
    "services": "/api/v1/namespaces/{}/services",
    "configmaps": "/api/v1/namespaces/{}/configmaps",
    "secrets": "/api/v1/namespaces/{}/secrets",
    "pods": "/api/v1/namespaces/{}/pods",
    "jobs": "/apis/batch/v1/namespaces/{}/jobs",
}


@dataclass(frozen=True)
class FakeSite:
    """The cluster, a client with every right, and the processes that end with it."""

    cluster: Cluster
    api: Api
    folder: Path
    running: ExitStack

    def mpijob(self, *words: str) -> tuple[int, str, str]:
        """Type a command; return its exit code and what it printed."""
        return self._typed([*MPIJOB, *words])

    def kubectl(self, *words: str) -> tuple[int, str, str]:
        """Type a command of kubectl; return its exit code and what it printed."""
        return self._typed([self.cluster.binaries["kubectl"], *words])

    def _typed(self, words: Sequence[str]) -> tuple[int, str, str]:
        environment = {**os.environ, "KUBECONFIG": self.cluster.kubeconfig}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=90
        )
        return done.returncode, done.stdout, done.stderr

    def operator(self, namespace: str, name: str = NAME) -> Process:
        """Run the operator that is installed in a namespace, as it would run in its pod."""
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.api.create(accounts, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
        kubeconfig = write_kubeconfig(
            self.folder / f"{namespace}.kubeconfig",
            url=self.cluster.url,
            ca=Path(self.cluster.ca),
            user={"token": token},
        )
        deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        told = self.api.read(f"{deployments}/{name}")["spec"]["template"]["spec"]["containers"][0]
        # Nobody probes it here, and two of them share the machine's ports.
        ports = ["--health-port=0", "--monitoring-port=0"]
        process = Process(
            f"operator-{namespace}",
            [*MPIJOB, *told["args"], *ports],
            self.folder / f"operator-{namespace}.log",
            environment={"KUBECONFIG": str(kubeconfig)},
        )
        self.running.callback(process.stop)
        until_one_leads(self.api, namespace)
        return process

    def user(self, namespace: str) -> str:
        """Return what the audit log calls the operator of a namespace."""
        return f"system:serviceaccount:{namespace}:{NAME}"

    def space(self, name: str) -> str:
        """Make a namespace in which pods can be made, and return its name."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        self.api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        return name

    def until(
        self, namespace: str, name: str, is_so: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Return a job once `is_so` says yes of it."""
        return self.api.until(JOBS.format(namespace), is_so, fieldSelector=f"metadata.name={name}")

    def children(self, namespace: str, job: str) -> dict[str, list[str]]:
        """Return the names of all that a job made, by kind."""
        found = {}
        for kind, path in CHILDREN.items():
            items = self.api.read(path.format(namespace))["items"]
            owned = [item["metadata"]["name"] for item in items if job_of(item) == job]
            if owned:
                found[kind] = sorted(owned)
        return found


def define(api: Api, definition: dict[str, Any]) -> None:
    """Have the server know this definition, and return once it serves it, as far as it says so."""
    name = definition["metadata"]["name"]
    query = {"fieldManager": "tests", "force": "true"}
    path = f"{DEFINITIONS}/{name}"
    api.did(api.ask("PATCH", path, definition, content_type=APPLY, query=query))
    api.until(DEFINITIONS, _is_established, fieldSelector=f"metadata.name={name}")


def _is_established(found: dict[str, Any]) -> bool:
    rows = found.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == ("Established", "True") for row in rows)


def job_of(item: dict[str, Any]) -> str | None:
    """Return the name of the MPIJob that owns an object, or None."""
    owners = item["metadata"].get("ownerReferences", ())
    return next((owner["name"] for owner in owners if owner["kind"] == "MPIJob"), None)


@contextmanager
def fake_site(
    folder: Path, *, node_count: int = 2, options: Sequence[str] = ()
) -> Iterator[FakeSite]:
    """Bring up such a cluster. `options` are further flags of its API server.

    Raises:
        Unavailable: It cannot be had on this machine.
    """
    with ExitStack() as running:
        plane = running.enter_context(ControlPlane(folder / "plane", options=options))
        binaries = running.enter_context(fake_nodes(plane, node_count))
        cluster = replace(plane.cluster, binaries={**plane.cluster.binaries, **binaries})
        api = running.enter_context(cluster.api())
        yield FakeSite(cluster, api, folder, running)
