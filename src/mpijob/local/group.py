"""Plain pods that belong together, run on this machine: what is applied without a job to own it.

Expected flow: `make` stores the objects and returns the group that they are. Whoever holds its
claim runs it (`run`), here or by a process of its own (`detach`), until all of its pods have ended
or are gone. Deleting the pods, as any object is deleted, ends it. `tell_the_truth` ends what nobody
runs any more.

Guarantees: when `run` has returned or raised, no process of the group is left. When this process
dies, the kernel ends them. A pod that found no room ends with those that run mpirun: nobody would
need it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from mpijob.cluster import dice
from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.pod_status import KILLED, Report, container_rows, status_of, terminated
from mpijob.cluster.store import Store, ref_of
from mpijob.core import names, options
from mpijob.core.job import Flavour, Key, Manifest, Role
from mpijob.core.plan import Kind
from mpijob.local import claim
from mpijob.local.arrangement import Ranks, machine_hosts, node_of, ranks_surroundings
from mpijob.local.control_plane import ControlPlane
from mpijob.local.home import Home, JobFolder, opened
from mpijob.local.journal import Journal
from mpijob.local.kubelet import Duties, Ground, Kubelet
from mpijob.local.machine import machine
from mpijob.local.objects import DICE, LocalObjects
from mpijob.local.runtime import Runtime, RuntimeFailed
from mpijob.local.settings import Settings, read
from mpijob.local.sweep import sweep
from mpijob.local.workload import hostname_of, role_of

_log = logging.getLogger(__name__)
#: On every pod of a group: which group's it is.
GROUP = f"{options.PREFIX}group"
#: How long pods have to end once they are told to, in seconds; less where they ask for less.
FAREWELL_S = 5.0
#: How long who asks for a host waits for it: whoever runs mpirun has made sure that it is there.
_HOST_WAIT_S = 1.0
_MARK = 8


class Group(Struct, frozen=True):
    """Pods that belong together. `uid` tells it from others that had its name."""

    key: Key
    uid: str

    @property
    def mark(self) -> str:
        """What its pods bear."""
        return f"{self.key.name}-{self.uid[:_MARK]}"

    def folder(self, home: Home) -> JobFolder:
        """Return what is kept of it beside its objects."""
        return home.group(self.key.namespace, self.mark)

    def has(self, pod: Manifest) -> bool:
        """Say whether a pod is of this group."""
        metadata = pod["metadata"]
        annotations = metadata.get("annotations") or {}
        return metadata["namespace"] == self.key.namespace and annotations.get(GROUP) == self.mark


def make(
    home: Home, objects: LocalObjects, key: Key, manifests: Sequence[Manifest], settings: Settings
) -> tuple[Group, claim.Claim]:
    """Store the objects of a group, all or none, and return it with its claim.

    Raises:
        Conflict: One of them is there.
        Refused: One of them breaks rules.

    """
    group = Group(key, dice.uid(DICE))
    folder = group.folder(home).made()
    held = claim.claimed(folder.lock)
    assert held is not None  # The folder is new.
    now = objects.journal.now()

    def action(store: Store) -> None:
        for manifest in manifests:
            marked = _marked(manifest, group) if manifest["kind"] == "Pod" else manifest
            store.create(marked, now=now, uid=dice.uid(DICE))

    try:
        settings.write(folder.settings)
        objects.written(action)
    except BaseException:
        held.release()
        folder.remove()
        raise
    return group, held


def detach(home: Home, group: Group, held: claim.Claim) -> None:
    """Start a process that runs the group; it has the claim from its first moment."""
    own = [str(home.path), group.key.namespace, group.key.name, group.uid, str(held.descriptor)]
    # The shell is gone at once, so the process is nobody's child whom this one would wait for.
    command = ["/bin/sh", "-c", '"$@" &', "mpijob", sys.executable, "-m", "mpijob.local.group"]
    with open(group.folder(home).supervisor_log, "ab") as log:
        subprocess.run(
            [*command, *own],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            pass_fds=[held.descriptor],
            start_new_session=True,
        )
    held.release()


async def run(home: Home, journal: Journal, group: Group, held: claim.Claim) -> None:
    """Run the pods of a group until all have ended or are gone, and no process of it is left."""
    held.sign()
    folder = group.folder(home)
    settings = read(folder.settings)
    try:
        running = _Running(journal, home, group, settings)
        await running.run()
    finally:
        if not _pods(journal.store, group):
            folder.remove()
        held.release()


def pods_of(store: Store, key: Key) -> list[Manifest]:
    """Return the pods of whatever group has a name."""
    marks = f"{key.name}-"
    return [
        pod
        for pod in store.list(Kind.POD, key.namespace)
        if (mark := (pod["metadata"].get("annotations") or {}).get(GROUP, ""))
        and mark.startswith(marks)
        and len(mark) == len(marks) + _MARK
    ]


def has_ended(store: Store, key: Key) -> bool:
    """Say whether a group of that name is there of which nothing runs any more."""
    pods = pods_of(store, key)
    return bool(pods) and all(phase(pod) in ENDED for pod in pods)


def tell_the_truth(home: Home, journal: Journal) -> None:
    """Have the journal say of every group that nobody runs that its pods are lost."""
    marks: dict[tuple[str, str], list[Manifest]] = {}
    for pod in journal.store.list(Kind.POD):
        mark = (pod["metadata"].get("annotations") or {}).get(GROUP)
        if mark and (phase(pod) not in ENDED or is_deleting(pod)):
            marks.setdefault((pod["metadata"]["namespace"], mark), []).append(pod)
    for (namespace, mark), pods in marks.items():
        folder = home.group(namespace, mark).made()
        held = claim.claimed(folder.lock)
        if held is None:
            continue
        sweep(home.path)
        journal.write(lambda store, pods=pods: _lose(store, pods, journal))  # type: ignore[misc]
        held.release()


class _Plane(ControlPlane):
    """The small cluster's controllers, for pods that nobody owns."""

    def __init__(self, journal: Journal, group: Group) -> None:
        super().__init__(journal, group.key, group.uid)
        self._group = group

    def is_mine(self, pod: Manifest) -> bool:
        """Say whether a pod is of this very group."""
        return self._group.has(pod)


class _Running:
    """A group that runs."""

    def __init__(self, journal: Journal, home: Home, group: Group, settings: Settings) -> None:
        self._journal = journal
        self._home = home
        self._group = group
        self._settings = settings
        self._plane = _Plane(journal, group)
        self._plane.settled = self._look_up
        self._news = asyncio.Event()
        self._is_told_to_end = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt)
        runtime = await Runtime.launch(
            self._home.path, mode=self._settings.pods, rsh_wait_s=_HOST_WAIT_S
        )
        plane = asyncio.create_task(self._plane.run())
        hearing = asyncio.create_task(self._hear(runtime))
        try:
            while not self._is_over():
                self._news.clear()
                await self._news.wait()
            self._end_unplaced()
        finally:
            for task in (hearing, plane):
                task.cancel()
            await asyncio.gather(hearing, plane, return_exceptions=True)
            with contextlib.suppress(RuntimeFailed):
                await runtime.close()
            if self._plane.kubelet is not None:
                self._plane.kubelet.lose_all("ended with its group")
                self._plane.round()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _look_up(self) -> None:
        self._news.set()

    def _is_over(self) -> bool:
        kubelet = self._plane.kubelet
        if kubelet is not None and kubelet.living:
            return False
        left = self._left()
        waits = all(not pod["spec"].get("nodeName") and not is_deleting(pod) for pod in left)
        launches = any(role_of(pod) is Role.LAUNCHER for pod in left)
        return not left or (waits and (self._is_told_to_end or not launches))

    def _left(self) -> list[Manifest]:
        """Return the pods that have not ended, or are not gone though they are to."""
        return [
            pod
            for pod in _pods(self._journal.store, self._group)
            if phase(pod) not in ENDED or is_deleting(pod)
        ]

    def _end_unplaced(self) -> None:
        """End the pods that found no room."""
        if left := self._left():
            what = "no room was found for it until its group ended"
            self._journal.write(lambda store: _lose(store, left, self._journal, what))

    def _interrupt(self) -> None:
        """Have all pods end, mpirun's first; what they have not written by then is lost."""
        self._is_told_to_end = True
        self._news.set()
        kubelet = self._plane.kubelet
        if kubelet is not None:
            for launchers in (True, False):
                kubelet.end_all(FAREWELL_S, launchers=launchers)

    async def _hear(self, runtime: Runtime) -> None:
        # In a thread, since asking NVIDIA's driver for its GPUs takes a second.
        found = await asyncio.to_thread(machine, os.environ)
        node = node_of(found, self._settings)
        pods = _pods(self._journal.store, self._group)
        runtime.expect(tuple(hostname_of(pod) for pod in pods))
        around = ranks_surroundings(_ranks(pods), self._settings, found, runtime, self._home.mpis)
        ground = Ground(node, self._group.folder(self._home), around)
        duties = Duties(self._group.has, self._plane.stir, self._give_up)
        kubelet = Kubelet(runtime, ground, duties)
        self._plane.node = node
        self._plane.kubelet = kubelet
        self._plane.stir()
        with contextlib.suppress(RuntimeFailed):
            await kubelet.attend(self._home.path)

    def _give_up(self, reason: str, message: str) -> None:
        _log.error("%s: %s", reason, message)
        self._interrupt()


def _marked(pod: Manifest, group: Group) -> Manifest:
    metadata: Mapping[str, Any] = pod["metadata"]
    annotations = {**(metadata.get("annotations") or {}), GROUP: group.mark}
    return {**pod, "metadata": {**metadata, "annotations": annotations}}


def _pods(store: Store, group: Group) -> list[Manifest]:
    """Return the group's pods: the one that runs mpirun first, then the workers in order."""
    found = [pod for pod in store.list(Kind.POD) if group.has(pod)]
    return sorted(found, key=lambda pod: (role_of(pod) is not Role.LAUNCHER, _index(pod)))


def _index(pod: Manifest) -> int:
    index = names.worker_index(pod["metadata"]["name"])
    return -1 if index is None else index


def _ranks(pods: Sequence[Manifest]) -> Ranks:
    workers = [pod for pod in pods if role_of(pod) is not Role.LAUNCHER]
    rows = [(_full_name(pod), hostname_of(pod)) for pod in pods]
    return Ranks(Flavour.OPEN_MPI, max(1, len(workers)), machine_hosts(rows))


def _full_name(pod: Manifest) -> str:
    domain = pod["spec"].get("subdomain", "")
    parts = (hostname_of(pod), domain, pod["metadata"]["namespace"])
    return ".".join(part for part in parts if part)


def _lose(
    store: Store,
    pods: Sequence[Manifest],
    journal: Journal,
    what: str = "mpijob ended without having finished it",
) -> None:
    now = journal.now()
    for pod in pods:
        ended = terminated(KILLED, finished_at=now, started_at=now)
        rows = tuple(row.now(ended) for row in container_rows(pod))
        report = Report("Failed", rows, (), "Lost", what)
        if phase(pod) not in ENDED:
            store.replace(
                {**pod, "status": status_of(pod, report, now)}, now=now, subresource="status"
            )
        if is_deleting(pod):
            store.delete(ref_of(pod), now=now, uid=pod["metadata"]["uid"], grace_s=0)


async def _run_handed_on(place: Path, group: Group, descriptor: int) -> None:
    home = opened(place)
    journal = Journal(home)
    try:
        journal.listen()
        held = claim.inherited(group.folder(home).lock, descriptor)
        await run(home, journal, group, held)
    finally:
        journal.close()


def main() -> None:
    """Run the group that was handed on: home, namespace, name, uid, claim's descriptor."""
    place, namespace, name, uid, descriptor = sys.argv[1:]
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    group = Group(Key(namespace, name), uid)
    asyncio.run(_run_handed_on(Path(place), group, int(descriptor)))


if __name__ == "__main__":
    main()
