"""A job on a cluster with somebody in front of it: awaited, and deleted where it is to end."""

import asyncio
import os
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

from mpijob.api import versions
from mpijob.api.manifest import key_of, ref_of, uid_of
from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind
from mpijob.core.status import ConditionType
from mpijob.ports import ChangeType

if TYPE_CHECKING:
    from mpijob.cli.world import World

_CODES = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}


class ClusterRun:
    """The `job` that this command makes on a cluster.

    Who ends the command with Ctrl-C, or with SIGTERM, wants the job ended: it is deleted. Who
    closes the terminal (SIGHUP) has left, and the job goes on.
    """

    def __init__(self, world: "World") -> None:
        self.job: Manifest = {}
        self._world = world
        self._code = exits.UNREAD
        self._told = asyncio.Event()

    def catch_signals(self) -> None:
        """Take SIGINT and SIGTERM as interrupts, on the running loop."""
        loop = asyncio.get_running_loop()
        for number in _CODES:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        self._code = _CODES[number]
        self.interrupt("Interrupted", f"mpijob was told to stop ({number.name})")

    def interrupt(self, reason: str, message: str) -> None:  # noqa: ARG002 (the protocol's)
        """Have the job deleted; called again, leave at once, whatever becomes of the job."""
        if self._told.is_set():
            os._exit(self._code)
        self._told.set()

    async def run(self) -> None:
        """Return once the job has ended, or is no longer there.

        Raises:
            Trouble: It was interrupted, and so is deleted.

        """
        ending = asyncio.create_task(self._until_end())
        telling = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({ending, telling}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                ending.result()
                return
        finally:
            for task in (ending, telling):
                task.cancel()
            await asyncio.gather(ending, telling, return_exceptions=True)
        namespace, name = key_of(self.job)
        await self._world.objects.delete(ref_of(self.job), uid=uid_of(self.job))
        raise Trouble(
            f"interrupted: {name} was deleted from namespace {namespace}",
            hint="`mpijob run --detach` makes a job that needs nobody to wait for it",
            code=self._code,
        )

    async def _until_end(self) -> None:
        from mpijob.cli.world import Scope

        changes = self._world.changes(Kind.MPI_JOB, Scope(*key_of(self.job)))
        async with aclosing(changes):
            async for change in changes:
                if change.type is ChangeType.SYNCED or isinstance(change.manifest, bytes):
                    continue
                if uid_of(change.manifest) != uid_of(self.job):
                    continue
                status = versions.decode(change.manifest).status
                invalid = status.is_true(ConditionType.INVALID)
                if change.type is ChangeType.DELETED or status.finished or invalid:
                    return
