"""The jobs of this machine, as a world of commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from mpijob.cli.trouble import Trouble
from mpijob.cli.world import Interruptible, World
from mpijob.core.job import Key, Manifest
from mpijob.local import backend
from mpijob.local.backend import Backend
from mpijob.local.home import HomeUnusable
from mpijob.local.runtime import RuntimeFailed
from mpijob.local.settings import Settings

_DOCTOR = "`mpijob doctor` says what this machine lacks"


class LocalWorld(World):
    """The jobs in this user's home; nobody has to be asked for them, so nothing is narrowed."""

    is_here = True

    def __init__(self, local: Backend) -> None:
        self._local = local
        self.objects = local.objects
        self.logs = local.logs

    def now(self) -> datetime:
        """Return the time by which jobs are stamped: UTC, whole seconds."""
        return self._local.now()

    def warm(self, settings: Settings) -> None:
        """Begin to start the process that pods will be children of."""
        self._local.warm(settings)

    async def attend(self, key: Key) -> None:
        """See to it that a process acts on the job under `key`, after a change of it."""
        await self._local.attend(key)

    async def removed_pods(self, key: Key) -> bool:
        """Delete the plain pods that were applied under a name; say whether there were any."""
        from mpijob.cli.pods_here import removed

        return await removed(self._local, key)

    async def pods_with_logs(self, key: Key, uid: str) -> list[str]:
        """Return the job's pods that have left logs, those that are gone too."""
        return self._local.logs.pods(key.namespace, key.name, uid)

    async def start(self, manifest: Manifest, settings: Settings) -> tuple[Manifest, Interruptible]:
        """Make a job, and return who runs it in this process."""
        supervisor = self._local.create(manifest, settings)
        return supervisor.job or manifest, supervisor

    async def detach(self, manifest: Manifest, settings: Settings) -> Manifest:
        """Make a job that a process of its own runs, and return it."""
        return self._local.detach(manifest, settings)


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    """Open the jobs of this machine. Raises Trouble where that cannot be."""
    try:
        async with backend.opened() as local:
            yield LocalWorld(local)
    except HomeUnusable as unusable:
        raise Trouble(str(unusable)) from None
    except RuntimeFailed as failure:
        raise Trouble(f"no pod can run here: {failure}", hint=_DOCTOR) from None
