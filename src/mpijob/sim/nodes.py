"""The machines of a world: a scheduler that knows gangs, and kubelets that know our pods.

`cluster.pods` says what may happen to a pod. Here is what a pod waits for: its gang to be whole,
what it mounts to be there, its workers to answer; and how the launcher's program ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from mpijob.cluster.owners import controller, controller_uid
from mpijob.cluster.pod_facts import ENDED, is_deleting, phase
from mpijob.cluster.pod_moves import break_down, next_init
from mpijob.cluster.pods import FAULTS, LIFE, STOP_WELL, SUCCEED, Stage, next_stage
from mpijob.cluster.refusals import Refused
from mpijob.cluster.store import ref_of
from mpijob.core import names, options
from mpijob.core.config import Gang
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.policy.gang import PLUGINS_GROUP, VOLCANO_GROUP
from mpijob.core.transport import Setup
from mpijob.core.transport.kubexec import DELIVERY_CONTAINER
from mpijob.core.transport.ssh import WAIT_CONTAINER
from mpijob.sim import user
from mpijob.sim.audit import Broken, is_elastic, worker_count

if TYPE_CHECKING:
    from mpijob.sim.world import World

_STAGES = {stage.name: stage for stage in (*LIFE, *FAULTS)}
_SCHEDULE, _START_INIT = _STAGES["schedule"], _STAGES["start init container"]
_END_INIT, _RUN, _STOP = _STAGES["end init container"], _STAGES["run"], _STAGES["stop"]
_PROGRAM_FAILS = Stage("program fails", SUCCEED.applies, break_down(255))

#: Which stage a fault of the weather is.
STRIKES = {
    "kill": _STAGES["delete"],
    "evict": _STAGES["evict"],
    "exhaust": _STAGES["run out of memory"],
    "lose": _STAGES["lose node"],
    "refuse": _STAGES["image refused"],
}
#: How often, while it is rough, a launcher's program that could end does.
ENDING = 0.08
#: How many stages a pod goes in a tick while it is calm.
CALM_STAGES = 3
#: How often a process that is told to end ends well.
ENDING_WELL = 0.2


class Nodes:
    """Schedulers and kubelets. A pod's stages are worked out once a version of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stage: dict[str, Stage | None] = {}
        self._programs: set[str] = set()
        self._lost: dict[str, set[int]] = {}
        #: The workers that a program knows, by its pod: those of the hostfile when it began.
        self._begun_with: dict[str, frozenset[int | None]] = {}

    def turn(self, share: float) -> None:
        """Let each pod go one stage further, with a probability of `share`."""
        world = self._world
        for pod in world.store.list(Kind.POD):
            if share < 1 and world.dice.random() >= share:
                continue
            now: Manifest | None = pod
            for _ in range(CALM_STAGES if world.is_calm else world.dice.choice((1, 2, 5))):
                stage = self._next(now) if now is not None else None
                if now is None or stage is None:
                    break
                self._play(stage, now)
                now = world.store.get(ref_of(now))

    def strike(self, fault: str, name: str = "") -> None:
        """Let a fault strike the pod of that name, or any, where it can."""
        stage = STRIKES[fault]
        pods = self._world.store.list(Kind.POD)
        hit = [p for p in pods if stage.applies(p) and name in ("", p["metadata"]["name"])]
        if hit:
            pod = self._world.dice.choice(hit)
            self._play(stage, pod)
            self._bereave(pod)

    def _bereave(self, pod: Manifest) -> None:
        """Have the programs that ran on a worker which goes, or has ended, wait for it for ever.

        An elastic job's program does without it; and one whose worker's container starts anew in
        its pod hears of that, since its connections break.
        """
        world, job = self._world, self._world.job
        if phase(pod) != "Running" or job is None or is_elastic(job):
            return
        now = world.store.get(ref_of(pod))
        if now is not None and phase(now) == "Running" and not is_deleting(now):
            return
        index = names.worker_index(pod["metadata"]["name"])
        if controller_uid(pod) != job["metadata"]["uid"] or index is None:
            return
        for other in world.store.list(Kind.POD):
            uid = other["metadata"]["uid"]
            # What came later than the program is in no list that it has read.
            if SUCCEED.applies(other) and index in self._begun_with.get(uid, ()):
                self._lost.setdefault(uid, set()).add(index)

    def _is_bereft(self, program: Manifest) -> bool:
        """Say whether a program waits for a worker that was lost.

        Not for one that nobody wants any more: whoever takes that away knows that it runs.
        """
        job, lost = self._world.job, self._lost.get(program["metadata"]["uid"], set())
        return job is not None and any(index < worker_count(job) for index in lost)

    def _play(self, stage: Stage, pod: Manifest) -> None:
        world = self._world
        if world.told is not None:
            world.told("node", f"{stage.name}: {pod['metadata']['name']}")
        if stage is _RUN:
            self._check_sight(pod)
            self._begun_with[pod["metadata"]["uid"]] = frozenset(
                map(names.worker_index, self._hosts())
            )
        try:
            stage.play(world.store, pod, world.now)
        except Refused as refused:
            if world.told is not None:
                world.told("node", f"refused: {refused}")
        world.absorb()

    def _next(self, pod: Manifest) -> Stage | None:
        """Return what happens to a pod next, or None where it rests or waits."""
        version = pod["metadata"]["resourceVersion"]
        if version in self._stage:
            stage = self._stage[version]
        else:
            stage = self._stage[version] = next_stage(pod)
            if stage is None and _runs_program(pod):
                self._programs.add(version)
        if stage is None:
            return self._program_end(pod) if version in self._programs else None
        if stage is _SCHEDULE:
            return stage if self._has_room() and self._is_gang_whole(pod) else None
        if stage is _START_INIT or stage is _RUN:
            return stage if self._is_mountable(pod) else None
        if stage is _END_INIT:
            return stage if self._is_awaited(pod) else None
        if stage is _STOP and not self._world.is_calm and self._world.dice.random() < ENDING_WELL:
            return STOP_WELL
        return stage

    def _program_end(self, pod: Manifest) -> Stage | None:
        """Return how the launcher's program ends now, or None where it goes on."""
        world = self._world
        if self._is_bereft(pod):
            return None
        if world.is_calm:
            if next(self._missing_hosts(), None) is not None:
                return None
            return SUCCEED if world.ends_well else _PROGRAM_FAILS
        if world.dice.random() >= ENDING:
            return None
        cut_off = next(self._missing_hosts(), None) is not None
        fails = cut_off or world.strikes(world.weather.failure)
        return _PROGRAM_FAILS if fails else SUCCEED

    def _check_sight(self, pod: Manifest) -> None:
        """Raise Broken where a launcher's program starts without anybody having waited."""
        world, owner = self._world, controller(pod)
        if owner is None or owner["kind"] != Kind.JOB or not world.waits or world.job is None:
            return
        launcher = world.store.get(Ref(Kind.JOB, user.NAMESPACE, owner["name"]))
        if launcher is None or launcher["metadata"]["uid"] != owner["uid"]:
            return
        if controller_uid(launcher) != world.job["metadata"]["uid"]:
            return
        inits = pod["spec"].get("initContainers") or ()
        if any(row["name"].startswith(_WAITING) for row in inits):
            return
        missing = next(self._missing_hosts(), None)
        if missing is not None:
            raise Broken(f"the launcher starts blind: {missing} does not answer")

    # What a pod waits for.

    def _has_room(self) -> bool:
        room = self._world.setting.room
        if room is None:
            return True
        pods = self._world.store.list(Kind.POD)
        return sum(bool(p["spec"].get("nodeName")) and phase(p) not in ENDED for p in pods) < room

    def _is_gang_whole(self, pod: Manifest) -> bool:
        group = _group(pod, self._world.config.gang)
        if group is None:
            return True
        store = self._world.store
        found = store.get(Ref(Kind.POD_GROUP, user.NAMESPACE, group))
        if found is None:
            return False
        members = sum(
            _group(other, self._world.config.gang) == group
            and phase(other) not in ENDED
            and not is_deleting(other)
            for other in store.list(Kind.POD)
        )
        return members >= int(found["spec"].get("minMember", 1))

    def _is_mountable(self, pod: Manifest) -> bool:
        """Say whether all that a pod mounts is there."""
        store = self._world.store
        return all(store.get(ref) is not None for ref in _mounted(pod))

    def _is_awaited(self, pod: Manifest) -> bool:
        """Say whether an init container is done: that which waits, once every worker answers."""
        row = next_init(pod)
        if row is None or not row.name.startswith(_WAITING):
            return True
        return next(self._missing_hosts(), None) is None

    def _config(self) -> Manifest:
        """Return the job's ConfigMap, an empty one where there is none."""
        ref = Ref(Kind.CONFIG_MAP, user.NAMESPACE, names.config(user.NAME))
        return self._world.store.get(ref) or {"metadata": {}, "data": {}}

    def _hosts(self) -> tuple[str, ...]:
        """Return the workers in the hostfile."""
        return _workers_in(self._config()["data"].get(names.HOSTFILE, ""))

    def _missing_hosts(self) -> Iterator[str]:
        """Yield the workers in the hostfile that the launcher does not reach."""
        store, config = self._world.store, self._config()
        for name in self._hosts():
            pod = store.get(Ref(Kind.POD, user.NAMESPACE, name))
            runs = pod is not None and phase(pod) == "Running" and not is_deleting(pod)
            if not runs or not self._is_allowed(config, name):
                yield name

    def _is_allowed(self, config: Manifest, host: str) -> bool:
        """Say whether the launcher may start ranks on a host: by exec it needs a right to."""
        if (config["metadata"].get("annotations") or {}).get(options.SSH_SETUP) != Setup.EXEC:
            return True
        launcher, store = names.launcher(user.NAME), self._world.store
        role = store.get(Ref(Kind.ROLE, user.NAMESPACE, launcher)) or {}
        bound = store.get(Ref(Kind.ROLE_BINDING, user.NAMESPACE, launcher)) is not None
        return bound and any(host in rule["resourceNames"] for rule in role.get("rules", ()))


#: The init containers that end once every host is reached.
_WAITING = (WAIT_CONTAINER, DELIVERY_CONTAINER)
#: Where a host's name ends in a line of the hostfile.
_HOST_END = re.compile("[. :]")


@lru_cache(maxsize=64)
def _workers_in(hostfile: str) -> tuple[str, ...]:
    hosts = (_HOST_END.split(line, maxsplit=1)[0] for line in hostfile.splitlines())
    return tuple(host for host in hosts if names.worker_index(host) is not None)


def _runs_program(pod: Manifest) -> bool:
    """Say whether a pod is a launcher's, and runs."""
    owner = controller(pod)
    return owner is not None and owner["kind"] == Kind.JOB and SUCCEED.applies(pod)


def _mounted(pod: Manifest) -> Iterator[Ref]:
    """Yield the ConfigMaps and Secrets that a pod mounts."""
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            if "configMap" in source:
                yield Ref(Kind.CONFIG_MAP, user.NAMESPACE, source["configMap"]["name"])
            if "secret" in source:
                secret = source["secret"]
                name = secret.get("secretName") or secret["name"]
                yield Ref(Kind.SECRET, user.NAMESPACE, name)


def _group(pod: Manifest, gang: Gang | None) -> str | None:
    """Return the gang that a pod belongs to, or None."""
    metadata = pod["metadata"]
    if gang is Gang.VOLCANO:
        found = metadata.get("annotations", {}).get(VOLCANO_GROUP)
    elif gang is Gang.SCHEDULER_PLUGINS:
        found = metadata.get("labels", {}).get(PLUGINS_GROUP)
    else:
        return None
    return str(found) if found else None
