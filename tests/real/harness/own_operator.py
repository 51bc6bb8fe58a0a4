"""The operator of this tree as a process beside a cluster, for one namespace of it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.api import Api
from harness.cluster import Cluster
from harness.processes import Process

MPIJOB = [sys.executable, "-c", "from mpijob.cli import main; main()"]
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


@contextmanager
def own_operator(
    cluster: Cluster, namespace: str, folder: Path, flags: Sequence[str] = ()
) -> Iterator[Process]:
    """Run one that looks after a namespace, from when it leads until the end of the context."""
    scope = [f"--namespace={namespace}", f"--lock-namespace={namespace}", "--health-port=0"]
    running = Process(
        "operator",
        [*MPIJOB, "operator", *scope, *flags],
        folder / "operator.log",
        environment={"KUBECONFIG": cluster.kubeconfig},
    )
    try:
        with cluster.api("test-operator") as api:
            until_one_leads(api, namespace)
        yield running
    finally:
        running.stop()


def until_one_leads(api: Api, namespace: str) -> None:
    """Return once an operator holds the Lease in a namespace: who looks there sooner finds none."""
    api.until(_LEASES.format(namespace), lambda lease: bool(lease["spec"].get("holderIdentity")))
