"""One simulated cluster, operators and people included: its state, and who may move in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from msgspec import Struct

from mpijob.api.adoption import is_watched
from mpijob.api.manifest import version_of
from mpijob.cluster import garbage, jobs
from mpijob.cluster.store import ChangeType as Written
from mpijob.cluster.store import Store
from mpijob.core import options
from mpijob.core.config import Config, Transport
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version
from mpijob.ports import Change, ChangeType
from mpijob.sim import user
from mpijob.sim.audit import Audit
from mpijob.sim.nodes import Nodes
from mpijob.sim.operator import KINDS, Operator, Practice, Readings
from mpijob.sim.trace import change_line
from mpijob.sim.weather import CALM, Weather

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

_TOLD_AS = {written: ChangeType(written.value) for written in Written}

Tell = Callable[[str, str], None]


class Setting(Struct, frozen=True):
    """What a world is from the start.

    `ends_well` says how the launcher's program ends once it is calm. `room` is how many pods the
    nodes take at once, None for all. `crash_at` is the count of the step before which the operator
    crashes, None for none. `version` is the one that jobs are written in.
    """

    weather: Weather = CALM
    config: Config = Config()
    ends_well: bool = True
    room: int | None = None
    crash_at: int | None = None
    version: Version = Version.V2BETA1


class World:
    """The state of one history.

    `uids` are those of all MPIJobs that ever were; `feeds` are the changes by kind, as watches
    tell them, `fed` how many those are, and `versions` when they were made. `told` writes the
    trace, and is None where nobody reads it.
    """

    def __init__(
        self,
        setting: Setting,
        dice: Random,
        practice: Practice | None = None,
        told: Tell | None = None,
    ) -> None:
        self.setting = setting
        self.weather = CALM
        self.config = setting.config
        self.ends_well = setting.ends_well
        self.crash_at = setting.crash_at
        self._dice = dice
        self._seed: int | None = None
        self.practice = practice or Practice()
        self.told = told
        self.now = EPOCH
        self.store = Store()
        self.audit = Audit()
        self.is_calm = True
        self.steps_run = 0
        self.uids: set[str] = set()
        self.feeds: dict[Kind, list[Change]] = {kind: [] for kind in KINDS}
        self.fed = 0
        self.versions: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
        self.nodes = Nodes(self)
        self.readings = Readings()
        self._absorbed = 0
        self._serial = 0
        self._jobs_due: dict[Ref, datetime | None] = {}
        self._garbage_due = False
        self.operators = [Operator(self, "operator")]

    def next_uid(self) -> str:
        """Return a uid that no object had before."""
        self._serial += 1
        return f"u{self._serial}"

    @property
    def dice(self) -> Random:
        """What is drawn from, where it was sown."""
        if self._seed is not None:
            self._dice.seed(self._seed)
            self._seed = None
        return self._dice

    def sow(self, seed: int) -> None:
        """Have all that is drawn from here on follow from `seed`. Many moves draw nothing."""
        self._seed = seed

    def strikes(self, odds: float) -> bool:
        """Say whether what has these odds happens now."""
        return odds > 0 and self.dice.random() < odds

    def absorb(self) -> None:
        """Tell everybody who should know what was written since the last time."""
        for change in self.store.changes(self._absorbed):
            self._absorbed = change.version
            kind, manifest = change.ref.kind, change.manifest
            if self.told is not None:
                self.told("", change_line(change))
            self.audit.see(change)
            feed = self.feeds.get(kind)
            if feed is not None and is_watched(kind, manifest):
                key = Key(change.ref.namespace, change.ref.name)
                told = Change(_TOLD_AS[change.type], manifest, key, version_of(manifest))
                feed.append(told)
                self.versions[kind].append(change.version)
                self.fed += 1
            job = jobs.concerned(change)
            if job is not None:
                self._jobs_due[job] = self.now
            if kind is Kind.MPI_JOB and change.type is Written.ADDED:
                self.uids.add(manifest["metadata"]["uid"])
            self._garbage_due = self._garbage_due or garbage.may_orphan(self.store, change)

    # The controllers of Kubernetes.

    def control_jobs(self) -> None:
        """Let the Job controller look at each Job that is due."""
        due = [ref for ref, at in self._jobs_due.items() if at is not None and at <= self.now]
        for ref in due:
            self._jobs_due[ref] = None
            wake_at = jobs.sync(self.store, ref, now=self.now, dice=self.dice)
            self.absorb()
            if self._jobs_due[ref] is None:
                self._jobs_due[ref] = wake_at

    def collect_garbage(self, count: int | None = None) -> None:
        """Delete orphans; `count` of them, or all."""
        if not self._garbage_due:
            return
        found = garbage.orphans(self.store)
        chosen = found if count is None else self.dice.sample(found, min(count, len(found)))
        for ref in chosen:
            self.store.delete(ref, now=self.now)
        self._garbage_due = bool(found)
        self.absorb()

    def meanwhile(self) -> None:
        """Let the cluster go on while an operator stands still between two steps."""
        self.wait(self.dice.choice((1, 20, 120)))
        self.control_jobs()
        self.nodes.turn(0.7)
        self.collect_garbage()

    @property
    def wakes_at(self) -> datetime | None:
        """The next moment at which time alone makes somebody act."""
        moments = [*self._jobs_due.values(), *(who.wake_at for who in self.operators)]
        return min((at for at in moments if at is not None and at > self.now), default=None)

    # People.

    @property
    def waits(self) -> bool:
        """Whether the launcher's program is to find its workers there: they are reached by ssh."""
        job = self.job
        if job is None or self.config.transport is not Transport.SSH:
            return False
        wish = job["metadata"].get("annotations", {}).get(options.WAIT_FOR_WORKERS)
        return bool(wish != "false")

    @property
    def job(self) -> Manifest | None:
        """The MPIJob, if there is one."""
        return self.store.get(user.JOB)

    def submit(self, manifest: Manifest) -> None:
        """Create an object as somebody who is not an operator."""
        self.say("user", f"creates {manifest['kind']} {manifest['metadata']['name']}")
        self.store.create(manifest, now=self.now, uid=self.next_uid())
        self.absorb()

    def write(self, ref: Ref, fields: Manifest, who: str = "user") -> None:
        """Patch an object as somebody who is not an operator."""
        self.say(who, f"changes {ref.kind} {ref.name}: {_short(fields)}")
        self.store.patch(ref, fields, now=self.now)
        self.absorb()

    def remove(self, ref: Ref, who: str = "user") -> None:
        """Delete an object as somebody who is not an operator."""
        self.say(who, f"deletes {ref.kind} {ref.name}")
        self.store.delete(ref, now=self.now)
        self.absorb()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def end(self) -> None:
        """Let go of those who know the world, so that it goes at once, and no collector seeks it.

        Nobody moves in it any more; what it was can still be read.
        """
        self.operators.clear()
        del self.nodes

    def say(self, who: str, text: str) -> None:
        """Write a line of the trace, where one is written."""
        if self.told is not None:
            self.told(who, text)


def _short(fields: Any) -> str:
    return str(fields)[:120]
