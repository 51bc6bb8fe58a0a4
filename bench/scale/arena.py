"""A real control plane with fake nodes, and those who look after its jobs: one at a time."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec

from harness.api import Api
from harness.control_plane import ControlPlane
from harness.fake_nodes import fake_nodes
from harness.processes import Process
from mpijob.api.crd import definition
from scale.future import Future

BENCH = Path(__file__).resolve().parents[1]
FAKE_NODE_COUNT = 20
#: Who runs what is measured. Not an administrator: those the server never holds back.
USER = "bench"
#: One file, however long, so that requests can be counted from any point on.
ONE_FILE = "--audit-log-maxsize=100000"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contestant:
    """Somebody who looks after MPIJobs: a command line, and how the audit log knows it."""

    name: str
    words: Sequence[str]
    agent: str
    elects: bool = True


class Arena:
    """The cluster. Used as a context; nothing of it stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(self) -> None:
        plane = ControlPlane(self.folder / "plane", options=[ONE_FILE])
        self._running.enter_context(plane)
        self._running.enter_context(fake_nodes(plane, FAKE_NODE_COUNT))
        self.cluster = plane.cluster
        self.kubeconfig = plane.kubeconfig(USER)
        self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
        self.api.until_answers("/apis/kubeflow.org/v2beta1/mpijobs")
        self.api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _MAY_ALL)
        self.api.create("/api/v1/namespaces", {"metadata": {"name": "mpi-operator"}})

    @property
    def api(self) -> Api:
        """A client with every right; a new one, since idle connections are closed."""
        return self.cluster.api("bench")

    def ours(self) -> Contestant:
        """Return the operator of this checkout, with its default flags."""
        words = [sys.executable, "-c", "from mpijob.cli import main; main()", "operator"]
        return Contestant("ours", [*words, "--health-port=0"], "mpi-operator")

    def floor(self, futures: dict[str, Future]) -> Contestant:
        """Return the script that knows what will become of jobs labelled so."""
        path = self.folder / "futures.json"
        path.write_bytes(msgspec.json.encode(futures))
        return Contestant("floor", [sys.executable, "-m", "scale.floor", str(path)], "floor", False)

    def other(self, command: str) -> Contestant:
        """Return somebody else's operator, which elects its leader by a Lease as ours does."""
        return Contestant("other", shlex.split(command), "mpi-operator")

    @contextmanager
    def looked_after(self, by: Contestant) -> Iterator[Process]:
        """Run somebody until the end of the context; begin once it is ready."""
        log = self.folder / f"{by.name}.log"
        log.write_text("")
        around = {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(BENCH)}
        process = Process(by.name, by.words, log, environment=around)
        try:
            process.wait_until(self._leads if by.elects else lambda: "ready" in log.read_text())
            yield process
            if process.has_ended:
                raise RuntimeError(f"{by.name} ended by itself:\n{process.last_lines()}")
        finally:
            process.stop()

    def _leads(self) -> bool:
        leases = self.api.read("/apis/coordination.k8s.io/v1/leases")["items"]
        held = (row for row in leases if row["metadata"]["name"] == "mpi-operator")
        return any(row["spec"].get("holderIdentity") for row in held)

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """Make a namespace in which pods can be made; it is gone when the context ends."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        self.api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        try:
            yield name
        finally:
            self.api.delete(f"/api/v1/namespaces/{name}")
            self.api.until_gone("/api/v1/namespaces", name, limit_s=600)

    def audited(self) -> int:
        """Return how long the audit log is by now: where to count requests from."""
        return os.stat(self.cluster.audit_log).st_size

    def requests(self, agent: str, since: int) -> Counter[tuple[str, str]]:
        """Return how often somebody asked since then, by verb and RESOURCE[/SUBRESOURCE]."""
        counted: Counter[tuple[str, str]] = Counter()
        decoder = msgspec.json.Decoder(_Audited)
        with open(self.cluster.audit_log, "rb") as file:
            file.seek(since)
            for line in file:
                row = decoder.decode(line)
                if row.agent.startswith(agent):
                    about = row.about
                    counted[row.verb, f"{about.resource}/{about.subresource}".rstrip("/")] += 1
        return counted


class _About(msgspec.Struct):
    resource: str = ""
    subresource: str = ""


class _Audited(msgspec.Struct):
    verb: str
    agent: str = msgspec.field(name="userAgent", default="")
    about: _About = msgspec.field(name="objectRef", default_factory=_About)


_MAY_ALL = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": USER},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    },
    "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}],
}


@contextmanager
def arena() -> Iterator[Arena]:
    """Bring up a cluster in a folder of its own, and leave nothing behind."""
    with TemporaryDirectory(prefix="mpijob-bench-") as folder, Arena(Path(folder)) as made:
        yield made


def cpu_s(process: Process) -> float:
    """Return the processor's time that a process has had so far, its own and the kernel's."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(process: Process, what: str = "VmRSS") -> float:
    """Return the memory that a process holds (VmRSS) or has held at most (VmHWM), in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise ValueError(f"the kernel tells no {what}")
