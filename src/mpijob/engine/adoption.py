"""Before an operator acts: the children that another one made are put under its watch.

Children are watched by a label of ours, which mpi-operator does not give them. One that is not seen
would only be met when it is made again, and until then decisions would rest on its absence: a
launcher that has ended would be taken for one that never was. So they are looked for first.
"""

import asyncio
import logging

from mpijob.api.adoption import adoption, is_stray
from mpijob.api.manifest import key_of
from mpijob.core.plan import Kind, Ref
from mpijob.ports import NotFound, Objects, Refused, Strays

_log = logging.getLogger(__name__)

#: The kinds that are watched by label: by ours, or, as pods, by one that newer operators give them.
KINDS = (Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.JOB, Kind.POD)
_AT_ONCE = 32


async def adopt(objects: Objects, strays: Strays) -> int:
    """Put our label on every child of an MPIJob that lacks it; return how many there were.

    One that may not be changed is told of and passed over.

    Raises:
        Unreachable: no answer came; some may be adopted by now. Try again.

    """
    found = [
        Ref(kind, *key_of(manifest))
        for kind in KINDS
        async for manifest in strays.strays(kind)
        if is_stray(kind, manifest)
    ]
    gate = asyncio.Semaphore(_AT_ONCE)
    answers = await asyncio.gather(
        *(_adopt_one(objects, ref, gate) for ref in found), return_exceptions=True
    )
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    if found:
        _log.info("adopted %d children of jobs that another operator began", len(found))
    return len(found)


async def _adopt_one(objects: Objects, ref: Ref, gate: asyncio.Semaphore) -> None:
    async with gate:
        try:
            await objects.patch(ref, adoption(ref.kind))
        except NotFound:
            return
        except Refused as refusal:
            where = f"{ref.namespace}/{ref.name}"
            _log.warning("%s %s could not be adopted: %s", ref.kind, where, refusal)
