"""The port `Objects` as an operator has it: each write may be lost, or its answer, or be the last.

Before a write takes effect, it is held against what an operator must never do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TypeVar

from mpijob.cluster import refusals
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.ports import Change, Conflict, NotFound, Refused, Unreachable
from mpijob.sim import audit, user

if TYPE_CHECKING:
    from mpijob.sim.operator import Operator
    from mpijob.sim.world import World

T = TypeVar("T")


class Crash(Exception):
    """The operator's process ends here, between two steps."""


class WeatheredObjects:
    """The objects of a world behind its weather."""

    def __init__(self, world: World, operator: Operator) -> None:
        self._world = world
        self._operator = operator

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
        uid, suffix = world.next_uid(), f"{len(world.versions):05}"
        return self._arrive(
            lambda: world.store.create(manifest, now=world.now, uid=uid, suffix=suffix)
        )

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge `fields` into an object and return it as it is now."""
        self._leave()
        world = self._world
        if self._is_at(ref, version=version):
            audit.check_owner(world.store, ref, self._job_uid())
            if ref.kind is Kind.JOB and fields.get("spec", {}).get("suspend") is False:
                self._check_start()
        return self._arrive(
            lambda: world.store.patch(
                ref, fields, now=world.now, version=version, subresource=subresource
            )
        )

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object; where it is gone already, do nothing."""
        self._leave()
        world = self._world
        if world.store.get(ref) is None:
            return
        if self._is_at(ref, uid=uid):
            audit.check_owner(world.store, ref, self._job_uid())
            audit.check_deletion(world.store, ref)
        self._arrive(lambda: world.store.delete(ref, now=world.now, uid=uid))

    async def watch(self, kind: Kind) -> AsyncIterator[Change]:
        """Yield nothing: here the operator is told of changes, or not, as the weather has it."""
        for change in self._world.feeds[kind][:0]:
            yield change

    def _leave(self) -> None:
        """Let a request go out, if the operator lives to send it and the network takes it."""
        world = self._world
        step, world.steps_run = world.steps_run, world.steps_run + 1
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
            if self._operator.seen_all:
                raise audit.Broken(f"the server refuses: {refusal}") from None
            raise Refused(str(refusal)) from None
        world.absorb()
        if world.strikes(world.weather.lost_answer):
            raise Unreachable("the answer was lost")
        return answer

    def _is_at(self, ref: Ref, *, uid: str = "", version: str = "") -> bool:
        """Say whether the preconditions of a write hold, so that it would take effect."""
        found = self._world.store.get(ref)
        if found is None:
            return False
        metadata = found["metadata"]
        return uid in ("", metadata["uid"]) and version in ("", metadata["resourceVersion"])

    def _job_uid(self) -> str:
        observed = self._operator.observed
        return observed.job.identity.uid if observed is not None else ""

    def _check_start(self) -> None:
        """Hold the launcher's start against the job's patience, where all could be seen."""
        if self._operator.seen_all:
            audit.check_patience(self._world.store, user.JOB)
