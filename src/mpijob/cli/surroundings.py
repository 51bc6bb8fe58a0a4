"""What a person would look at next who wants to know why a job does not run: events and logs."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from mpijob.api import events
from mpijob.api.events import concerns
from mpijob.api.manifest import key_of, labels_of
from mpijob.cli.world import World
from mpijob.core.circumstances import NOTHING_KNOWN, Circumstances
from mpijob.core.explain import questions
from mpijob.core.job import Manifest
from mpijob.core.observed import Observed
from mpijob.core.plan import Kind, Ref
from mpijob.engine.sight import Scope
from mpijob.ports import NotFound, Refused, Unreachable

_QUEUE = "kueue.x-k8s.io/queue-name"
#: How much of a log is read, in lines, and how long for (s): a node may not answer.
_LINES = 12
_PATIENCE_S = 5.0


async def asked_for(world: World, job: Manifest, observed: Observed) -> Circumstances:
    """Return what is to be known around one job; on this machine all of it is seen already."""
    if world.is_here:
        return NOTHING_KNOWN
    told, words = await asyncio.gather(
        world.listed(Kind.EVENT, Scope(key_of(job)[0])), _last_words(world, observed)
    )
    return around(world, job, told, words)


def around(
    world: World,
    job: Manifest,
    told: Iterable[Manifest],
    words: Sequence[tuple[str, str]] = (),
) -> Circumstances:
    """Return what is known around a job once all events of its namespace are."""
    if world.is_here:
        return NOTHING_KNOWN
    mine = [event for event in told if concerns(events.view(event), *key_of(job))]
    notices = sorted(map(events.notice, mine), key=lambda notice: str(notice.at))
    queue = labels_of(job).get(_QUEUE, "")
    return Circumstances(tuple(notices), dict(words), queue, world.now())


async def _last_words(world: World, observed: Observed) -> list[tuple[str, str]]:
    """Return the last words of each container that is asked, by its pod's name."""
    namespace = observed.job.identity.key.namespace
    asked = [(Ref(Kind.POD, namespace, pod), name) for pod, name in questions(observed)]
    return await asyncio.gather(*(_of(world, pod, container) for pod, container in asked))


async def _of(world: World, pod: Ref, container: str) -> tuple[str, str]:
    said = b""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            log = world.logs.read(pod, container, tail_lines=_LINES)
            async with aclosing(log) as pieces:  # type: ignore[type-var]  # It is a generator.
                async for piece in pieces:
                    said += piece
    except (NotFound, Refused, Unreachable, TimeoutError):
        # What cannot be read explains nothing; the rest still may.
        return pod.name, ""
    return pod.name, said.decode(errors="replace")
