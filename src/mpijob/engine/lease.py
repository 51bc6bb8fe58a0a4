"""Leader election by a Lease: of several operators, one acts.

Expected flow: a candidate looks at the Lease, and takes it where nobody holds it, where it was
released, or where its holder has not renewed it for as long as the Lease says. Who holds it renews
it, and stops acting before others may take it.

Guarantees: two holders at once would need a clock that runs at less than four fifths of another's.
How long a holder is silent is measured by our own clock from the moment at which we saw its last
renewal, never by comparing its clock with ours.

Source: client-go's `leaderelection`, for the record's fields and the order of the delays.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import Struct

from mpijob.api.lease import Holding, claim, holding, new_lease, renewal
from mpijob.api.manifest import version_of
from mpijob.core.job import Manifest
from mpijob.core.plan import Ref
from mpijob.ports import Conflict, NotFound, Objects, Refused, Unreachable

_log = logging.getLogger(__name__)

#: How long a Lease holds without renewal, as mpi-operator has it, so that the two give way to each
#: other; how long after its last renewal a holder stops; and how often it renews (s).
LEASE_S, STOP_S, RETRY_S = 15, 12.0, 3.0
#: How long one renewal may take, and what is between one that failed and the next (s): within
#: `STOP_S` there are two, so that a slow server is waited for and a dead connection tried anew.
_ANSWER_S, _AGAIN_S = 4.0, 1.0


class Candidate(Struct, frozen=True):
    """Who stands for election, and where.

    Args:
        objects: Where the Lease is.
        ref: Its address.
        identity: What the holder is called: unique, and telling for people.
        now: The wall clock, in UTC, for the record that people read.

    """

    objects: Objects
    ref: Ref
    identity: str
    now: Callable[[], datetime]


class Lost(Exception):
    """The Lease could not be renewed in time: another may act from now on."""


async def lead(candidate: Candidate, act: Callable[[], Awaitable[None]]) -> None:
    """Wait for the Lease, then `act` while holding it; release it when `act` ends or is cancelled.

    Raises:
        Lost: the Lease was lost. `act` has been cancelled.

    """
    term = _Term(candidate)
    await term.won()
    _log.info("leading as %s", candidate.identity)
    acting = asyncio.ensure_future(act())
    keeping = asyncio.ensure_future(term.kept())
    try:
        await asyncio.wait((acting, keeping), return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            acting.cancel()
            await asyncio.wait((acting,))
            keeping.result()
        acting.result()
    finally:
        for task in (acting, keeping):
            task.cancel()
        await asyncio.wait((acting, keeping))
        await term.released()


class _Term:
    """One candidate's view of one Lease."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        self._version = ""
        #: When the last write that gave us the Lease was begun: nobody saw it sooner.
        self._renewed_at = 0.0

    async def won(self) -> None:
        """Return when the Lease is ours, and surely not yet another's again."""
        clock = asyncio.get_running_loop().time
        while not (await self._tried() and clock() - self._renewed_at < STOP_S):  # noqa: ASYNC110
            # Nobody would wake us.
            await asyncio.sleep(RETRY_S)

    async def kept(self) -> None:
        """Renew the Lease for ever. Raises Lost where that fails for too long."""
        loop, pause_s = asyncio.get_running_loop(), RETRY_S
        while True:
            await asyncio.sleep(pause_s)
            asked_at, stop_at = loop.time(), self._renewed_at + STOP_S
            try:
                async with asyncio.timeout(min(_ANSWER_S, stop_at - asked_at)):
                    await self._rewritten(self._candidate.identity, LEASE_S)
                self._renewed_at, pause_s = asked_at, RETRY_S
            except NotFound as gone:
                raise Lost(f"the lease was taken away: {gone}") from gone
            except (Conflict, Unreachable, Refused, TimeoutError) as failure:
                _log.warning("the lease was not renewed: %s", _said(failure))
                pause_s = _AGAIN_S
                if loop.time() + _AGAIN_S >= stop_at:
                    raise Lost(f"the lease could not be renewed: {_said(failure)}") from failure

    async def released(self) -> None:
        """Give the Lease back, so that a successor need not wait for its end."""
        if not self._version:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._rewritten("", 1)
        except (Lost, Conflict, NotFound, Refused, Unreachable, TimeoutError) as failure:
            _log.info("the lease was not released: %s", _said(failure))

    async def _tried(self) -> bool:
        self._renewed_at = asyncio.get_running_loop().time()
        try:
            there = holding(await self._candidate.objects.get(self._candidate.ref), LEASE_S)
        except NotFound:
            return await self._made()
        except (Unreachable, Refused) as failure:
            _log.warning("the lease cannot be read: %s", failure)
            return False
        if not self._free(there):
            return False
        self._version = there.version
        try:
            await self._written(claim(self._candidate.identity, LEASE_S, self._candidate.now()))
        except (Conflict, NotFound, Unreachable, Refused) as failure:
            _log.info("the lease was not won: %s", failure)
            self._version = ""
            return False
        return True

    def _free(self, there: Holding) -> bool:
        """Say whether nobody holds the Lease, or its holder has been silent for too long."""
        if there.holder in ("", self._candidate.identity):
            return True
        now = asyncio.get_running_loop().time()
        seen = (there.holder, there.renewed)
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
            return False
        return now - self._seen_at > there.lasts_s

    async def _made(self) -> bool:
        candidate = self._candidate
        made = new_lease(candidate.ref, candidate.identity, LEASE_S, candidate.now())
        try:
            self._version = version_of(await candidate.objects.create(made))
        except (Conflict, Unreachable, Refused, NotFound) as failure:
            _log.info("the lease was not won: %s", failure)
            return False
        return True

    async def _rewritten(self, holder: str, lasts_s: int) -> None:
        """Renew the Lease that is ours, or ("") give it up.

        Where it is not as we last saw it, it may be so by a write of ours whose answer was lost.

        Raises:
            Lost: somebody else holds it.

        """
        candidate = self._candidate
        fields = renewal(holder, lasts_s, candidate.now())
        try:
            await self._written(fields)
        except Conflict:
            there = holding(await candidate.objects.get(candidate.ref), LEASE_S)
            if there.holder != candidate.identity:
                raise Lost(f"the lease was taken by {there.holder or 'nobody'}") from None
            self._version = there.version
            await self._written(fields)

    async def _written(self, fields: Manifest) -> None:
        candidate = self._candidate
        told = await candidate.objects.patch(candidate.ref, fields, version=self._version)
        self._version = version_of(told)


def _said(failure: Exception) -> str:
    return str(failure) or "no answer in time"
