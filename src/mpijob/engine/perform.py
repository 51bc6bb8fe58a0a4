"""The shell's whole job: perform a plan, stage by stage, and stop at the first that fails."""

import logging
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from mpijob.api import versions
from mpijob.api.adoption import adoptable, adoption
from mpijob.api.events import event
from mpijob.api.manifest import version_of
from mpijob.core import names
from mpijob.core.config import Config
from mpijob.core.job import Identity, Key, Manifest
from mpijob.core.plan import (
    Announce,
    Confirm,
    Create,
    Delete,
    Kind,
    MintSecret,
    Patch,
    Plan,
    Ref,
    Step,
    WriteStatus,
)
from mpijob.engine.cache import Cache
from mpijob.ports import Conflict, Keys, NotFound, Objects, Refused, Unreachable

_log = logging.getLogger(__name__)


class Hands(Struct, frozen=True):
    """What a plan is performed with.

    Args:
        objects: Where the steps take effect.
        keys: Draws ssh keys.
        config: The operator's settings.
        learn: Told of every object that a write was answered with, by its kind.
        learn_deleted: Told of every object that was deleted, by its address and uid.
        meet: Told of every object that stood under a name that a job wanted.
        width: How many steps of one job may be under way now; asked before each.

    """

    objects: Objects
    keys: Keys
    config: Config
    learn: Callable[[Kind, Manifest | bytes], None]
    learn_deleted: Callable[[Ref, str], None]
    meet: Callable[[Key, Kind, Manifest], None]
    width: Callable[[], int] = lambda: 64


async def perform(plan: Plan, job: Identity, hands: Hands, now: datetime) -> None:
    """Perform the stages of `plan` in order; the steps of one stage at the same time.

    Raises:
        Conflict: a step does not fit what is there now: look again, decide again.
        NotFound: the same, of an object that is gone.
        Refused: the server will not do a step, and says why.
        Unreachable: no answer came; whether the step took effect is unknown. Look again.

    """
    for stage in plan.stages:
        if len(stage) == 1 or hands.width() == 1:
            for step in stage:
                await _perform_step(step, job, hands, now)
        else:
            await _perform_stage(stage, job, hands, now)


async def _perform_stage(stage: Sequence[Step], job: Identity, hands: Hands, now: datetime) -> None:
    """Perform the steps of one stage at once; all are tried, then the first failure is raised."""
    import asyncio  # `mpijob sim` performs step by step, and starts sooner without.

    failures: dict[int, Exception] = {}
    under_way = 0
    ended = asyncio.Event()

    async def one(number: int, step: Step) -> None:
        nonlocal under_way
        try:
            await _perform_step(step, job, hands, now)
        except Exception as failure:  # noqa: BLE001  # Raised below, once all were tried.
            failures[number] = failure
        finally:
            under_way -= 1
            ended.set()

    async with asyncio.TaskGroup() as tasks:
        for number, step in enumerate(stage):
            while under_way >= hands.width():
                ended.clear()
                await ended.wait()
            under_way += 1
            tasks.create_task(one(number, step))
    if failures:
        raise failures[min(failures)]


async def _perform_step(step: Step, job: Identity, hands: Hands, now: datetime) -> None:
    objects = hands.objects
    match step:
        case WriteStatus(version, status):
            body = {"status": versions.encode_status(status, job.written_in)}
            ref = names.job_ref(job)
            told = await objects.patch(ref, body, version=version, subresource="status")
            hands.learn(Kind.MPI_JOB, told)
        case Confirm(version):
            there = await objects.get(names.job_ref(job))
            if version_of(there) != version:
                raise Conflict(f"MPIJob {job.key} has changed since it was looked at")
        case Create(ref, manifest):
            await _create(ref, manifest, job, hands)
        case MintSecret():
            await _mint(step, job, hands)
        case Patch(ref, version, fields, subresource):
            told = await objects.patch(ref, fields, version=version, subresource=subresource)
            hands.learn(ref.kind, told)
        case Delete(ref, uid):
            await objects.delete(ref, uid=uid)
            hands.learn_deleted(ref, uid)
        case Announce():
            await _announce(step, job, objects, now)
        case _:
            assert_never(step)


async def _create(ref: Ref, manifest: Manifest, job: Identity, hands: Hands) -> None:
    """Make a child; where its name is taken, see by whom, so that the next look knows."""
    try:
        hands.learn(ref.kind, await hands.objects.create(manifest))
    except Conflict:
        await _meet(ref, job, hands)
        raise


async def _meet(ref: Ref, job: Identity, hands: Hands) -> None:
    """Look at what stands under a child's name.

    A child of ours may stand there unseen: another operator made it, without the label by which
    children are watched. It gets that label, and is seen from then on.
    """
    there = await hands.objects.get(ref)
    hands.meet(job.key, ref.kind, there)
    if adoptable(ref.kind, there, job):
        version = version_of(there)
        told = await hands.objects.patch(ref, adoption(ref.kind), version=version)
        hands.learn(ref.kind, told)


async def meet_again(job: Key, cache: Cache, objects: Objects) -> None:
    """Ask again for what a job has met and no watch tells of: nobody else says when it goes.

    Raises Unreachable.
    """
    for ref in cache.met(job):
        try:
            cache.meet(job, ref.kind, await objects.get(ref))
        except NotFound:
            cache.miss(job, ref)


async def _mint(step: MintSecret, job: Identity, hands: Hands) -> None:
    if step.replaces:
        await hands.objects.delete(step.ref, uid=step.replaces)
    drawn = await hands.keys.draw(step.content, hands.config.key_type, job.key)
    data = {name: b64encode(text).decode() for name, text in drawn.items()}
    await _create(step.ref, {**step.manifest, "data": data}, job, hands)


async def _announce(told: Announce, job: Identity, objects: Objects, now: datetime) -> None:
    """Tell the user; that it could not be told is logged and harms nothing."""
    try:
        await objects.create(event(job, told, now))
    except Conflict:
        pass  # The very same was told in this second.
    except (Refused, Unreachable, NotFound) as failure:
        where = {"job": str(job.key)}
        _log.warning("event %s not written: %s", told.reason, failure, extra=where)
