"""A cluster with real nodes in which `mpijob install` put the operator, and jobs that run there."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.api import Api, Object
from harness.binaries import locked
from harness.cluster import Cluster
from harness.own_operator import MPIJOB
from harness.processes import Broken
from mpijob.core import names
from mpijob.core.allocation import GPU
from mpijob.core.version import Version

#: Where the operator lives: what `mpijob install` makes unless told otherwise.
OPERATOR_SPACE = "mpi-operator"
#: How many GPUs each node says that it has.
GPU_COUNT = 16
_VERSIONS = tuple(f"/apis/{version.api_version}/mpijobs" for version in Version)
_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_PODS = "/api/v1/namespaces/{}/pods"
#: The pods of every version's jobs bear it; `job-role` says another thing in v1.
_ROLE = names.ROLE_TYPE_LABEL
_NAME = "training.kubeflow.org/job-name"
_END_LIMIT_S = 600
_LAST_LINES = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one job.

    Args:
        job: The MPIJob once it had ended.
        output: What the launcher's last pod printed.
        pods: Its pods by name, as they were then.
        events: What was said of it and of its pods.

    """

    job: Object
    output: str
    pods: Mapping[str, Object]
    events: tuple[Object, ...]

    @property
    def end(self) -> str:
        """How the job ended: Succeeded or Failed."""
        return _end(self.job)

    @property
    def hosts(self) -> list[str]:
        """What the ranks printed, sorted, where each printed one word.

        MPIs and ssh say more on stderr, which the cluster's logs do not keep apart.
        """
        return sorted(row for row in self.output.splitlines() if row and " " not in row)

    def role(self, role: str) -> list[Object]:
        """Return the pods that are `launcher` or `worker`, oldest first."""
        found = [pod for pod in self.pods.values() if pod["metadata"]["labels"][_ROLE] == role]
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


@dataclass(slots=True)
class Site:
    """A cluster whose operator runs in it. A process of tests has one; it is no thread's alone.

    Args:
        cluster: The cluster.
        images: What pods call the images of the recipes.

    """

    cluster: Cluster
    images: Mapping[str, str]
    _spaces: list[str] = field(default_factory=list)

    def install(self, *flags: str) -> None:
        """Put the operator in, unless another process of the session did, and GPUs into its nodes.

        The API server then knows every version of MPIJobs, v1 too, which it would not by default.

        Raises:
            Broken: The command failed.
        """
        with locked(Path(f"{self.cluster.folder}.install.lock")), self.api() as api:
            if not all(api.answers(path) for path in _VERSIONS):
                self._install(*(f"--serve={version.value}" for version in Version), *flags)
                for path in _VERSIONS:
                    api.until_answers(path)
                self.equip(GPU, GPU_COUNT)

    def _install(self, *flags: str) -> None:
        self.mpijob(
            "install",
            f"--image={self.images['operator']}",
            f"--kubectl-delivery-image={self.images['kubectl-delivery']}",
            "--wait",
            *flags,
        )

    def mpijob(self, *words: str) -> str:
        """Type an mpijob command against the cluster; return what it printed. Raises Broken."""
        done = subprocess.run(
            [*MPIJOB, *words],
            env={**os.environ, "KUBECONFIG": self.cluster.kubeconfig},
            capture_output=True,
            text=True,
            check=False,
            timeout=_END_LIMIT_S,
        )
        if done.returncode != 0:
            told = f"{done.stdout}{done.stderr}\n{self.told(OPERATOR_SPACE)}"
            raise Broken(f"mpijob {' '.join(words)}: exit {done.returncode}:\n{told}")
        return done.stdout

    def equip(self, resource: str, count: int) -> None:
        """Have every node say that it has so many of a resource."""
        room = {"capacity": {resource: str(count)}, "allocatable": {resource: str(count)}}
        with self.api() as api:
            for node in api.read("/api/v1/nodes")["items"]:
                api.merge(f"/api/v1/nodes/{node['metadata']['name']}/status", {"status": room})

    def api(self) -> Api:
        """Return a client that may do everything."""
        return self.cluster.api("site")

    @contextmanager
    def space(self, standard: str = "privileged") -> Iterator[str]:
        """Return a namespace for jobs that holds pods to a standard; it goes with the block."""
        name = f"e-{secrets.token_hex(4)}"
        labels = {"pod-security.kubernetes.io/enforce": standard}
        with self.api() as api:
            api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
            accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
            api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        self._spaces.append(name)
        try:
            yield name
        finally:
            self._spaces.remove(name)
            with self.api() as api:
                api.delete(f"/api/v1/namespaces/{name}")

    def submit(self, space: str, *manifests: Object) -> None:
        """Create jobs."""
        with self.api() as api:
            for manifest in manifests:
                api.create(f"/apis/{manifest['apiVersion']}/namespaces/{space}/mpijobs", manifest)

    def ended(self, space: str, name: str, limit_s: int = _END_LIMIT_S) -> Run:
        """Return what became of a job, once it has ended.

        Raises:
            TimeoutError: It did not end; the error tells of the operator, the pods and the events.
        """
        field = {"fieldSelector": f"metadata.name={name}"}
        with self.api() as api:
            try:
                job = api.until(_JOBS.format(space), _end, limit_s=limit_s, **field)
            except TimeoutError as late:
                raise TimeoutError(f"{late}\n{self.told(space)}") from None
            listed = api.read(_PODS.format(space), labelSelector=f"{_NAME}={name}")["items"]
            pods = {pod["metadata"]["name"]: pod for pod in listed}
            events = api.read(f"/api/v1/namespaces/{space}/events")["items"]
            run = Run(job, "", pods, tuple(event for event in events if _is_of(event, name)))
            launchers = run.role("launcher")
            output = _log(api, launchers[-1]) if launchers else ""
        return Run(run.job, output, run.pods, run.events)

    def run(self, space: str, *manifests: Object) -> dict[str, Run]:
        """Create jobs, all at once, and return what became of them, by name."""
        self.submit(space, *manifests)
        names = [manifest["metadata"]["name"] for manifest in manifests]
        # Each is looked at as soon as it ends: its pods may not be there for long.
        with ThreadPoolExecutor(len(names)) as beside:
            return dict(zip(names, beside.map(partial(self.ended, space), names), strict=True))

    def log(self, pod: Object, container: str = "") -> str:
        """Return what a container of a pod printed, or the pod's first."""
        with self.api() as api:
            return _log(api, pod, container)

    def told(self, *spaces: str) -> str:
        """Return all that helps to see what went wrong: jobs, pods, events, the operator's log."""
        rows: list[str] = []
        with self.api() as api:
            for space in spaces or self._spaces:
                rows += _told(api, space)
            for pod in api.read(_PODS.format(OPERATOR_SPACE))["items"]:
                rows += [f"== log of {pod['metadata']['name']}", *_last_lines(api, pod)]
        return "\n".join(rows)


def _end(job: Object) -> str:
    conditions = job.get("status", {}).get("conditions", ())
    true = (row["type"] for row in conditions if row["status"] == "True")
    return next((end for end in true if end in ("Succeeded", "Failed", "Invalid")), "")


def _is_of(event: Object, job: str) -> bool:
    return str(event["involvedObject"].get("name", "")).startswith(job)


def _log(api: Api, pod: Object, container: str = "") -> str:
    metadata = pod["metadata"]
    path = f"{_PODS.format(metadata['namespace'])}/{metadata['name']}/log"
    first = container or pod["spec"]["containers"][0]["name"]
    return str(api.read(path, container=first))


def _last_lines(api: Api, pod: Object) -> list[str]:
    rows: list[str] = []
    spec = pod["spec"]
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        path = f"{_PODS.format(pod['metadata']['namespace'])}/{pod['metadata']['name']}/log"
        asked = {"container": container["name"], "tailLines": str(_LAST_LINES)}
        answer = api.ask("GET", path, query=asked)
        rows += [f"-- {container['name']}", str(answer.body)]
    return rows


def _told(api: Api, space: str) -> list[str]:
    rows = [f"== {space}"]
    answer = api.ask("GET", _JOBS.format(space))
    jobs = answer.body["items"] if answer.is_good else ()
    rows += [f"{job['metadata']['name']}: {_short(job.get('status'))}" for job in jobs]
    for event in api.read(f"/api/v1/namespaces/{space}/events")["items"]:
        about = event["involvedObject"].get("name")
        rows.append(f"{event.get('reason')} {about}: {event.get('message')}")
    for pod in api.read(_PODS.format(space))["items"]:
        status = pod["status"]
        if status.get("phase") != "Succeeded":
            kept = ("phase", "reason", "message", "initContainerStatuses", "containerStatuses")
            shown = {key: status[key] for key in kept if key in status}
            rows.append(f"== pod {pod['metadata']['name']}: {_short(shown)}")
            rows += _last_lines(api, pod)
    return rows


def _short(value: Any) -> str:
    return json.dumps(value)[:1500]
