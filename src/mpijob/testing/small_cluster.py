"""A small cluster around a real engine: its controllers, scheduler and nodes, in virtual time.

Where the simulator draws what happens, nothing is drawn here: a test says what people and queues
do, and `rest` lets everybody else do their part.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from mpijob.cluster import garbage, jobs, scheduler
from mpijob.cluster.owners import controller
from mpijob.cluster.pod_facts import phase
from mpijob.cluster.pod_moves import next_init
from mpijob.cluster.pods import FAIL, LIFE, SUCCEED, Stage
from mpijob.cluster.store import Store, ref_of
from mpijob.core import build, names
from mpijob.core.config import Config, KeyType
from mpijob.core.job import Key, Manifest, Role
from mpijob.core.plan import Kind, Ref, SecretContent
from mpijob.core.transport.ssh import WAIT_CONTAINER
from mpijob.engine.control import Engine, Outside
from mpijob.ports import Objects
from mpijob.sim import loop
from mpijob.testing.memory import MemoryObjects

T = TypeVar("T")
EPOCH = datetime(2026, 1, 1, 12, tzinfo=UTC)
#: So many seconds in which nothing is written are rest: failures are tried again within them.
_QUIET_S = 4
#: A cluster that still moves after so many seconds never rests.
_RESTLESS_S = 600
_ROOM = {"cpu": "64", "memory": "256Gi", "pods": "110"}


class NumberedKeys:
    """Draws keys that are no secret, each with a number of its own."""

    def __init__(self) -> None:
        self.drawn_count = 0

    async def draw(
        self,
        content: SecretContent,
        key_type: KeyType,  # noqa: ARG002 (the port's signature)
        job: Key,  # noqa: ARG002
    ) -> Mapping[str, bytes]:
        """Return a Secret's data."""
        self.drawn_count += 1
        entries = (
            build.USER_KEY_NAMES if content is SecretContent.USER_KEYS else build.HOST_KEY_NAMES
        )
        return dict.fromkeys(sorted(entries), f"drawn {self.drawn_count}".encode())


class SmallCluster:
    """A store with everybody who acts on it but the operator, which is `operate`d on it."""

    def __init__(self) -> None:
        self.store = Store()
        self.objects = MemoryObjects(self.store, self.now)
        self.keys = NumberedKeys()
        #: Whether kubelets answer: where they do not, pods stay as they are.
        self.has_kubelets = True
        self._dice = Random(0)
        self._serial = 0

    def now(self) -> datetime:
        """Return the virtual time, in whole seconds."""
        elapsed_s = int(asyncio.get_running_loop().time())
        return EPOCH + timedelta(seconds=elapsed_s)

    def operate(self, config: Config, objects: Objects | None = None) -> "asyncio.Task[None]":
        """Start an operator that sees the cluster by `objects`; cancelling the task ends it."""
        outside = Outside(objects or self.objects, self.keys, self.now)
        return asyncio.create_task(Engine(outside, config).run())

    def get(self, kind: Kind, name: str, namespace: str = "default") -> Any:
        """Return an object, None where there is none."""
        return self.store.get(Ref(kind, namespace, name))

    def names(self, kind: Kind) -> list[str]:
        """Return the names of all objects of a kind."""
        return [manifest["metadata"]["name"] for manifest in self.store.list(kind)]

    def add(self, manifest: Manifest, status: Manifest | None = None) -> Manifest:
        """Store an object as somebody else made it, with the status that it has by now."""
        self._serial += 1
        uid = f"given-{self._serial}"
        stored = self.store.create(manifest, now=self.now(), uid=uid, suffix=f"{self._serial:05}")
        if status is not None:
            told = {**stored, "status": status}
            stored = self.store.replace(told, now=self.now(), subresource="status")
        self.objects.tell()
        return stored

    def add_node(self, name: str, labels: Manifest | None = None, taints: Any = ()) -> None:
        """Give the cluster a node with room for many pods."""
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": dict(labels or {})},
                "spec": {"taints": list(taints)},
                "status": {"allocatable": _ROOM},
            }
        )

    def put(self, manifest: Manifest) -> None:
        """Write an object whole, as somebody who read it before."""
        self.store.replace(manifest, now=self.now())
        self.objects.tell()

    def put_status(self, manifest: Manifest) -> None:
        """Write the status of an object, as its controller."""
        self.store.replace(manifest, now=self.now(), subresource="status")
        self.objects.tell()

    def end(self, pod_prefix: str, *, well: bool = True) -> None:
        """Let the programs of the running pods whose names begin so end."""
        stage = SUCCEED if well else FAIL
        for pod in self.store.list(Kind.POD):
            if pod["metadata"]["name"].startswith(pod_prefix) and stage.applies(pod):
                stage.play(self.store, pod, self.now())
        self.objects.tell()

    async def rest(self, at_least_s: int = 0) -> None:
        """Let everybody do what there is to do, until nobody has anything.

        Raises:
            RuntimeError: It does not come to rest.

        """
        quiet_s = 0
        for second in range(_RESTLESS_S):
            before = self.store.version
            self.tick()
            await asyncio.sleep(1)
            quiet_s = quiet_s + 1 if self.store.version == before else 0
            if quiet_s >= _QUIET_S and second >= at_least_s:
                return
        raise RuntimeError(f"no rest after {_RESTLESS_S} s")

    def tick(self) -> None:
        """Let controllers, scheduler and nodes act once, and watchers hear of it."""
        now = self.now()
        for ref in self._jobs():
            jobs.sync(self.store, ref, now=now, dice=self._dice)
        if self.store.list(Kind.NODE):
            scheduler.schedule(self.store, now=now)
        for pod in self.store.list(Kind.POD) if self.has_kubelets else ():
            self._live(ref_of(pod), now)
        garbage.collect(self.store, now=now)
        self.objects.tell()

    def _jobs(self) -> Iterable[Ref]:
        """Return the Jobs there are, and those that left pods behind."""
        found = {ref_of(manifest) for manifest in self.store.list(Kind.JOB)}
        for pod in self.store.list(Kind.POD):
            owner = controller(pod)
            if owner is not None and owner["kind"] == Kind.JOB:
                found.add(Ref(Kind.JOB, pod["metadata"]["namespace"], owner["name"]))
        return sorted(found)

    def _live(self, ref: Ref, now: datetime) -> None:
        """Let a pod go as far as it can."""
        for _ in LIFE:
            pod = self.store.get(ref)
            stage = self._next(pod) if pod is not None else None
            if pod is None or stage is None:
                return
            stage.play(self.store, pod, now)

    def _next(self, pod: Manifest) -> Stage | None:
        stage = next((row for row in LIFE if row.applies(pod)), None)
        if stage is None or (stage.name == "schedule" and self.store.list(Kind.NODE)):
            return None
        waits = stage.name == "end init container" and _is_waiting(pod)
        return None if waits and not self._hosts_answer(pod) else stage

    def _hosts_answer(self, launcher: Manifest) -> bool:
        """Say whether every worker of a launcher's job runs."""
        job = launcher["metadata"]["labels"][names.JOB_NAME_LABEL]
        config = self.get(Kind.CONFIG_MAP, names.config(job), launcher["metadata"]["namespace"])
        lines: list[str] = config["data"][names.HOSTFILE].splitlines() if config else []
        wanted = {line.partition(".")[0] for line in lines}
        running = {
            pod["metadata"]["name"]
            for pod in self.store.list(Kind.POD, launcher["metadata"]["namespace"])
            if phase(pod) == "Running"
        }
        return wanted - {names.launcher(job)} <= running


def _is_waiting(pod: Manifest) -> bool:
    row = next_init(pod)
    of_launcher = pod["metadata"].get("labels", {}).get(names.ROLE_TYPE_LABEL) == Role.LAUNCHER
    return of_launcher and row is not None and row.name.startswith(WAIT_CONTAINER)


def played(scene: Callable[[SmallCluster], Awaitable[T]]) -> T:
    """Play a scene in a small cluster, in virtual time, and return what it returns."""

    async def whole() -> T:
        return await scene(SmallCluster())

    answer: T = loop.play(whole(), Random(0))
    return answer
