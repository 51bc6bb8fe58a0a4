"""A job on a cluster with somebody in front of it: awaited, and deleted where it is to end."""

import asyncio
import os
import signal

from mpijob.api.manifest import key_of
from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.kube.sight import ClusterRun

_CODES = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}


class ForegroundRun(ClusterRun):
    """The job that this command makes on a cluster.

    Who ends the command with Ctrl-C, or with SIGTERM, wants the job ended: it is deleted. Who
    closes the terminal (SIGHUP) has left, and the job goes on.
    """

    _code = exits.UNREAD
    _is_told = False

    def catch_signals(self) -> None:
        """Take SIGINT and SIGTERM as interrupts, on the running loop."""
        loop = asyncio.get_running_loop()
        for number in _CODES:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        self._code = _CODES[number]
        self.interrupt("Interrupted", f"mpijob was told to stop ({number.name})")

    def interrupt(self, reason: str, message: str) -> None:
        """Have the job deleted; called again, leave at once, whatever becomes of the job."""
        if self._is_told:
            os._exit(self._code)
        self._is_told = True
        super().interrupt(reason, message)

    async def run(self) -> None:
        """Return once the job has ended, or is no longer there.

        Raises:
            Trouble: It was interrupted, and so is deleted.

        """
        await super().run()
        if self.is_deleted:
            assert self.job is not None
            namespace, name = key_of(self.job)
            raise Trouble(
                f"interrupted: {name} was deleted from namespace {namespace}",
                hint="`mpijob run --detach` makes a job that needs nobody to wait for it",
                code=self._code,
            )
