"""The port `Objects` as an operator has it: each write may be lost, or its answer, or be the last.

Before a write takes effect, it is held against what an operator must never do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from mpijob.cluster import refusals
from mpijob.cluster.store import ref_of
from mpijob.core.job import Manifest
from mpijob.core.observed import Child, Observed
from mpijob.core.plan import Kind, Ref
from mpijob.ports import Change, Conflict, NotFound, Refused, Unreachable
from mpijob.sim import audit, user

if TYPE_CHECKING:
    from mpijob.sim.world import World

T = TypeVar("T")


def children_of(observed: Observed) -> Iterator[tuple[Kind, Child]]:
    """Yield every child that was seen, with its kind."""
    yield from observed.named()
    for pod in (*observed.launcher_pods, *observed.workers):
        yield Kind.POD, pod


class Crash(Exception):
    """The operator's process ends here, between two steps."""


class WeatheredObjects:
    """The objects of a world behind its weather.

    `observed` is what the operator that writes decided on, and `seen_all` whether that was all.
    """

    def __init__(self, world: World) -> None:
        self.observed: Observed | None = None
        self.seen_all = True
        self._world = world
        self._mine: set[str] = set()

    def begin(self) -> None:
        """Begin to perform a plan: what it writes itself is known to it."""
        self._mine.clear()

    async def get(self, ref: Ref) -> Manifest:
        """Return the object as the server has it."""
        self._leave()
        found = self._world.store.get(ref)
        if found is None:
            raise NotFound(f"{ref.kind} {ref.name} not found")
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new object and return it as stored."""
        self._leave()
        world = self._world
        if manifest["kind"] == Kind.JOB and not manifest["spec"].get("suspend"):
            self._check_start()
        uid = world.next_uid()
        return self._arrive(lambda: world.store.create(manifest, now=world.now, uid=uid))

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` into an object and return it as it is now."""
        self._leave()
        world = self._world
        if not version:
            raise audit.Broken(f"{ref.kind} {ref.name} is changed, whatever it has become")
        found = world.store.get(ref)
        if found is not None and version == found["metadata"]["resourceVersion"]:
            self._check(found, "resourceVersion")
            if ref.kind is Kind.JOB and fields.get("spec", {}).get("suspend") is False:
                self._check_start()
                if self.seen_all:
                    audit.check_stopped(world.store, found)
        return self._arrive(
            lambda: world.store.patch(
                ref, fields, now=world.now, version=version, subresource=subresource
            )
        )

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object; where it is gone already, do nothing."""
        self._leave()
        world = self._world
        found = world.store.get(ref)
        if found is None:
            return
        if not uid:
            raise audit.Broken(f"{ref.kind} {ref.name} is deleted, whosever it is now")
        if uid == found["metadata"]["uid"]:
            self._check(found, "uid")
            self._check_fence()
            audit.check_deletion(world.store, ref, seen_all=self.seen_all)
        self._arrive(lambda: world.store.delete(ref, now=world.now, uid=uid))

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield nothing: here the operator is told of changes, or not, as the weather has it."""
        for change in self._world.feeds[kind][:0]:
            yield change

    def _leave(self) -> None:
        """Let a request go out, if the operator lives to send it and the network takes it."""
        world = self._world
        step, world.steps_run = world.steps_run, world.steps_run + 1
        if world.strikes(world.weather.pause):
            world.meanwhile()
            self.seen_all = False
        if step == world.crash_at or world.strikes(world.weather.crash):
            raise Crash
        if world.strikes(world.weather.lost_request):
            raise Unreachable("the request was lost")

    def _arrive(self, write: Callable[[], T]) -> T:
        """Let a request take effect, and its answer come back or be lost."""
        world = self._world
        try:
            answer = write()
        except (refusals.AlreadyExists, refusals.Conflict) as taken:
            raise Conflict(str(taken)) from None
        except refusals.NotFound as missing:
            raise NotFound(str(missing)) from None
        except refusals.Refused as refusal:
            if self.seen_all:
                raise audit.Broken(f"the server refuses: {refusal}") from None
            raise Refused(str(refusal)) from None
        world.absorb()
        self._mine.add(str(world.store.version))
        if world.strikes(world.weather.lost_answer):
            raise Unreachable("the answer was lost")
        return answer

    # What an operator must never do, whatever it sees.

    def _check(self, found: Manifest, part: str) -> None:
        """Raise Broken where what is about to change is another's, or is not as it was seen."""
        observed = self.observed
        if observed is None:
            return
        metadata, job = found["metadata"], observed.job.identity
        ref = ref_of(found)
        audit.check_owner(self._world.store, ref, job.uid)
        if ref.kind is Kind.MPI_JOB:
            seen = {part: job.version if part == "resourceVersion" else job.uid}
        else:
            views = (v for k, v in children_of(observed) if (k, v.name) == (ref.kind, ref.name))
            view = next(views, None)
            seen = {} if view is None else {"resourceVersion": view.version, "uid": view.uid}
        if metadata[part] not in self._mine and seen.get(part) != metadata[part]:
            raise audit.Broken(f"{ref.kind} {ref.name} is changed though it is not as it was seen")

    def _check_fence(self) -> None:
        """Raise Broken where what cannot be undone is done for a job that has changed."""
        observed, job = self.observed, self._world.job
        if observed is None or job is None:
            return
        version = job["metadata"]["resourceVersion"]
        if version != observed.job.identity.version and version not in self._mine:
            raise audit.Broken("a job has changed since it was looked at, and is acted on")

    def _check_start(self) -> None:
        """Hold the launcher's start against the job, and its patience where all could be seen."""
        self._check_fence()
        if self.seen_all:
            audit.check_patience(self._world.store, user.JOB)
