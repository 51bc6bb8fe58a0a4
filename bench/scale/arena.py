"""A real control plane with nodes, and those who look after its jobs: one at a time."""

import asyncio
import os
import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec

from harness.api import Api
from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.fake_nodes import fake_nodes
from harness.processes import Process
from harness.shape import Shape, started
from measure import SETTINGS, UNTIL_DONE
from mpijob.api.crd import SERVED, definition
from mpijob.core.version import Version
from scale import load
from scale.future import Future, future

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


#: Brings up a cluster in a folder, and says by which kubeconfig who is measured knows it.
BringUp = Callable[[Path], AbstractContextManager[tuple[Cluster, Path]]]


@contextmanager
def with_fake_nodes(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """Bring up a control plane with fake nodes."""
    plane = ControlPlane(folder, options=[ONE_FILE])
    with plane, fake_nodes(plane, FAKE_NODE_COUNT):
        yield plane.cluster, plane.kubeconfig(USER)


@contextmanager
def with_a_real_node(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """Bring up a control plane with one real node. Raises Unavailable."""
    with started(folder, Shape(node_count=1)) as cluster:
        yield cluster, Path(cluster.kubeconfig)


class Arena:
    """The cluster. Used as a context; nothing of it stays."""

    def __init__(self, folder: Path, bring_up: BringUp) -> None:
        self.folder = folder
        self._bring_up = bring_up
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
        plane = self.folder / "plane"
        plane.mkdir()
        self.cluster, self.kubeconfig = self._running.enter_context(self._bring_up(plane))
        known = definition(tuple(Version) if SETTINGS.every_version else SERVED)
        self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", known)
        self.api.until_answers("/apis/kubeflow.org/v2beta1/mpijobs")
        self.api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _MAY_ALL)
        self.api.create("/api/v1/namespaces", {"metadata": {"name": "mpi-operator"}})
        # A server takes 2 s over the first job that it is asked for: nobody's part in a contest.
        first = {"dryRun": "All"}
        jobs = "/apis/kubeflow.org/v2beta1/namespaces/mpi-operator/mpijobs"
        self.api.did(self.api.ask("POST", jobs, load.manifest("first", 1), query=first))

    @property
    def api(self) -> Api:
        """A client with every right; a new one, since idle connections are closed."""
        return self.cluster.api("bench")

    def ours(self, *flags: str) -> Contestant:
        """Return the operator of this checkout, with its default flags but for `flags`."""
        words = [sys.executable, "-c", "from mpijob.cli import main; main()", "operator"]
        return Contestant("ours", [*words, "--health-port=0", *flags], "mpi-operator")

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
        return Counter(
            (row.verb, row.about.what) for row in self._log(since) if row.agent.startswith(agent)
        )

    def spreads_s(self, namespace: str, since: int) -> dict[str, float]:
        """Return, of each job, how long (s) after its first pod the last one began."""
        begun: dict[str, datetime] = {}
        for row in self._log(since):
            if (row.about.namespace, row.about.what) == (namespace, "pods/status"):
                begun.setdefault(row.about.name, row.at)
        of_job: dict[str, list[datetime]] = defaultdict(list)
        for pod, at in begun.items():
            of_job[_job_of(pod)].append(at)
        return {job: (max(all_) - min(all_)).total_seconds() for job, all_ in of_job.items()}

    def waits_s(self, namespace: str, since: int) -> dict[str, float]:
        """Return of each job how long (s) after it was asked for its last worker had been created.

        By the server's own log: its watchers hear of both late while it is busy.
        """
        asked: dict[str, datetime] = {}
        made: dict[str, datetime] = {}
        for row in self._log(since):
            created = row.verb == "create" and row.answer.code == HTTPStatus.CREATED
            if row.about.namespace != namespace or not created:
                continue
            if row.about.what == "mpijobs":
                asked[row.about.name] = row.at
            elif row.about.what == "pods" and "-worker-" in row.about.name:
                made[_job_of(row.about.name)] = row.answered_at
        return {job: (made[job] - at).total_seconds() for job, at in asked.items()}

    def _log(self, since: int) -> Iterator["_Audited"]:
        """Yield what the server was asked since then."""
        decoder = msgspec.json.Decoder(_Audited)
        with open(self.cluster.audit_log, "rb") as file:
            file.seek(since)
            yield from map(decoder.decode, file)


class _About(msgspec.Struct):
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def what(self) -> str:
        """The resource, with its subresource."""
        return f"{self.resource}/{self.subresource}".rstrip("/")


class _Answer(msgspec.Struct):
    code: int = 0


class _Audited(msgspec.Struct):
    verb: str
    at: datetime = msgspec.field(name="requestReceivedTimestamp")
    answered_at: datetime = msgspec.field(name="stageTimestamp")
    answer: _Answer = msgspec.field(name="responseStatus", default_factory=_Answer)
    agent: str = msgspec.field(name="userAgent", default="")
    about: _About = msgspec.field(name="objectRef", default_factory=_About)


def _job_of(pod: str) -> str:
    """Return the name of the job that a worker or a launcher's pod is of."""
    return re.sub(r"-(worker|launcher)-[^-]*$", "", pod)


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
def arena(bring_up: BringUp = with_fake_nodes) -> Iterator[Arena]:
    """Bring up a cluster in a folder of its own, and leave nothing behind."""
    folder = TemporaryDirectory(prefix="mpijob-bench-")
    with folder as path, Arena(Path(path), bring_up) as made:
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


@cache
def the_arena() -> Arena:
    """Return the cluster that all benchmarks share, until the last is done."""
    return UNTIL_DONE.enter_context(arena())


def contestants(*workers: int) -> list[Contestant]:
    """Return ours, the floor for jobs with so many workers, and who else was asked for."""
    futures = {f"{n}": asyncio.run(future(load.manifest("any", n))) for n in workers}
    here = the_arena()
    others = [here.other(SETTINGS.other)] if SETTINGS.other else []
    return [here.ours(), here.floor(futures), *others]
