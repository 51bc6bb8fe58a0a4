"""The kubelet of this machine for one job: makes its bound pods run, and tells how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.pod_status import status_of
from mpijob.cluster.store import Store, ref_of
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local import runtime as rt
from mpijob.local.announcements import KUBELET, announce
from mpijob.local.environment import ConfigError, Place
from mpijob.local.home import JobFolder
from mpijob.local.placement import Node, devices_of
from mpijob.local.pod_life import Hands, PodLife, Told
from mpijob.local.sweep import sweep
from mpijob.local.users import user_of
from mpijob.local.volume_files import sources_of
from mpijob.local.volumes import MountFailed, Volumes
from mpijob.local.workload import MACHINE_ADDRESS, Hopeless, Surroundings, address_of, workload

#: How long until a pod is tried again that could not be set up, in seconds.
RETRY_S = 20.0


class Ground(Struct, frozen=True):
    """What a kubelet stands on: the machine, the job's folder, and what programs have of both."""

    node: Node
    folder: JobFolder
    surroundings: Surroundings


class Duties(Struct, frozen=True):
    """Whose kubelet it is, and whom it tells.

    Args:
        is_mine: Says whether a pod is of the job.
        stir: Called when there is something to report.
        give_up: Called with reason and message where the job cannot run on this machine at all.

    """

    is_mine: Callable[[Manifest], bool]
    stir: Callable[[], None]
    give_up: Callable[[str, str], None]


class Kubelet:
    """Runs the pods of one job that are bound to this machine.

    Expected flow: `look` follows what the journal says of pods, `hear` what the runtime says;
    `report` writes into a transaction what is new, and `reported` confirms that it was kept.
    """

    def __init__(
        self,
        runtime: rt.Runtime,
        ground: Ground,
        duties: Duties,
    ) -> None:
        self._runtime = runtime
        self._ground = ground
        self._duties = duties
        self._lives: dict[str, PodLife] = {}
        self._volumes: dict[str, Volumes] = {}
        self._unreported: set[str] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._retry_is_due = False
        self._said: set[str] = set()

    @property
    def living(self) -> list[PodLife]:
        """The pods of which processes may be left."""
        return [life for life in self._lives.values() if not life.is_over]

    def look(self, store: Store) -> None:
        """Start what is bound and new, end what is to end."""
        there: set[str] = set()
        for pod in store.list(Kind.POD):
            if self._duties.is_mine(pod) and pod["spec"].get("nodeName") == self._ground.node.name:
                there.add(pod["metadata"]["uid"])
                self._follow(pod, store)
        for uid, life in list(self._lives.items()):
            if uid not in there:
                life.end(0.0)
                if life.is_over:
                    del self._lives[uid]
                    self._volumes.pop(uid, None)
        if self._retry_is_due:
            self._retry_is_due = False
            for life in self.living:
                if not life.is_begun:
                    self._begin(life, store)

    def refresh(self, ref: Ref, store: Store) -> None:
        """A ConfigMap or Secret is new: volumes made of it follow, and pods that wait for it."""
        for life in self.living:
            if not life.is_begun:
                self._begin(life, store)
            elif ref in sources_of(life.pod) and life.uid in self._volumes:
                self._volumes[life.uid].refresh(self._place(life.pod, store))

    def hear(self, event: rt.Event) -> None:
        """Take in what the runtime tells."""
        life = self._lives.get(event.uid)
        if life is not None:
            life.hear(event)
            self._changed(life)

    async def attend(self, home: Path) -> None:
        """Hear all that the runtime says, until it ends.

        Raises:
            RuntimeFailed: It died; what it left is ended, and its pods are told to be lost.

        """
        try:
            async for event in self._runtime.events():
                self.hear(event)
        except rt.RuntimeFailed as failure:
            sweep(home)
            self.lose_all(str(failure))
            raise

    def end_all(self, grace_s: float, *, launchers: bool) -> None:
        """Have all pods end: of the launcher's role, or of every other."""
        for life in self.living:
            if life.is_launcher is launchers:
                own = float(life.pod["spec"].get("terminationGracePeriodSeconds", 30))
                life.end(min(own, grace_s))
                self._changed(life)

    def lose_all(self, message: str) -> None:
        """Take in that the runtime is gone, and every process with it."""
        for life in self.living:
            life.lose(message)
            self._changed(life)

    def report(self, store: Store, now: datetime) -> list[tuple[str, int]]:
        """Write what is new of every pod, and let go of those that are to be gone."""
        written = []
        for uid in sorted(self._unreported):
            life = self._lives.get(uid)
            if life is not None:
                written.append((uid, len(life.told)))
                self._report(store, life, now)
        return written

    def reported(self, written: list[tuple[str, int]]) -> None:
        """Take in that what `report` wrote is kept."""
        for uid, told_count in written:
            del self._lives[uid].told[:told_count]
            self._unreported.discard(uid)

    # How it is done.

    def _changed(self, life: PodLife) -> None:
        self._unreported.add(life.uid)
        self._duties.stir()

    def _follow(self, pod: Manifest, store: Store) -> None:
        uid = pod["metadata"]["uid"]
        life = self._lives.get(uid)
        if life is None:
            if phase(pod) in ENDED and not is_deleting(pod):
                return
            folder = self._ground.folder.pod(pod["metadata"]["name"], uid).made()
            life = PodLife(pod, folder, Hands(self._runtime, lambda: self._changed_by_time(uid)))
            self._lives[uid] = life
            if not is_deleting(pod):
                self._greet(life)
                self._begin(life, store)
        life.pod = pod
        if is_deleting(pod):
            life.end(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            self._changed_once(life)
        elif phase(pod) in ENDED and not life.is_over and life.report.phase not in ENDED:
            life.end(0.0)

    def _changed_once(self, life: PodLife) -> None:
        if life.is_over and life.uid not in self._unreported:
            self._changed(life)

    def _changed_by_time(self, uid: str) -> None:
        if uid in self._lives:
            self._changed(self._lives[uid])

    def _greet(self, life: PodLife) -> None:
        """Tell what is different for this pod from a pod of a cluster, once for all pods."""
        spec = life.pod["spec"]
        self._tell_once(life, "ImageNotPulled", "commands run on this machine, not in an image")
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            refused = user_of(container, life.pod).refused
            if refused:
                told = f'container "{container["name"]}" {refused}'
                self._tell_once(life, "UserNotChanged", told)
            if any(f"{probe}Probe" in container for probe in ("liveness", "readiness", "startup")):
                told = f'container "{container["name"]}": probes are not run on this machine'
                self._tell_once(life, "ProbesNotRun", told)
            if container.get("lifecycle"):
                told = f'container "{container["name"]}": hooks are not run on this machine'
                self._tell_once(life, "HooksNotRun", told)

    def _tell_once(self, life: PodLife, reason: str, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            life.told.append(Told(reason, message))

    def _begin(self, life: PodLife, store: Store) -> None:
        place = self._place(life.pod, store)
        volumes = self._volumes_of(life, place)
        try:
            volumes.prepare()
            life.begin(workload(place, volumes, life.folder, self._surroundings(life.pod)))
        except MountFailed as refusal:
            life.hold("ContainerCreating", str(refusal))
            self._try_later(life, Told("FailedMount", str(refusal), warning=True))
        except Hopeless as refusal:
            life.fail("CannotRun", str(refusal))
            self._changed(life)
            self._duties.give_up("CannotRun", str(refusal))
        except ConfigError as refusal:
            life.hold("CreateContainerConfigError", str(refusal))
            self._try_later(life, Told("Failed", f"Error: {refusal}", warning=True))
        else:
            self._volumes[life.uid] = volumes

    def _volumes_of(self, life: PodLife, place: Place) -> Volumes:
        """Return a pod's volumes, in a folder that whoever runs in the pod can reach."""
        namespaced = self._ground.surroundings.namespaced
        spec, folder = life.pod["spec"], life.folder.volumes
        containers = (*(spec.get("initContainers") or ()), *spec["containers"])
        if not namespaced and any(user_of(each, life.pod).uid for each in containers):
            # Without mounts they use the volumes' own paths, and our home is closed to them.
            folder = Path(self._runtime.run_folder, "volumes", life.uid)
        return Volumes(folder, place, namespaced=namespaced)

    def _try_later(self, life: PodLife, told: Told) -> None:
        life.told.append(told)
        self._changed(life)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._retry_is_due = True
        self._duties.stir()

    def _place(self, pod: Manifest, store: Store) -> Place:
        return Place(pod, store.get, (address_of(pod), MACHINE_ADDRESS), self._ground.node.capacity)

    def _surroundings(self, pod: Manifest) -> Surroundings:
        around = self._ground.surroundings
        if not self._ground.node.gpus:
            return around
        return replace(around, devices=",".join(devices_of(pod)))

    def _report(self, store: Store, life: PodLife, now: datetime) -> None:
        pod = store.get(ref_of(life.pod))
        if pod is None or pod["metadata"]["uid"] != life.uid:
            return
        for told in life.told:
            announce(store, pod, told, source=KUBELET, now=now)
        if phase(pod) not in ENDED:
            status = status_of(pod, life.report, now)
            pod = store.replace({**pod, "status": status}, now=now, subresource="status")
        if life.is_over and is_deleting(pod):
            store.delete(ref_of(pod), now=now, uid=life.uid, grace_s=0)
