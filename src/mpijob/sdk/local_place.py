"""This machine, as a place where jobs run."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mpijob.api.manifest import key_of, ref_of, uid_of
from mpijob.core.job import Key, Manifest
from mpijob.local import backend
from mpijob.local.backend import Backend
from mpijob.local.home import HomeUnusable
from mpijob.local.runtime import RuntimeFailed
from mpijob.local.settings import Settings, inherited
from mpijob.local.supervisor import Supervisor
from mpijob.sdk import shipping
from mpijob.sdk.errors import JobError
from mpijob.sdk.folder import Folder, PathFolder, new_folder
from mpijob.sdk.place import Place
from mpijob.sdk.shipping import Surroundings
from mpijob.sdk.where import Here


class LocalPlace(Place):
    """The jobs in this user's home; what runs here may ask for more than there is."""

    namespace = "default"

    def __init__(self, local: Backend, where: Here) -> None:
        self._local = local
        self.objects = local.objects
        self.logs = local.logs
        self._settings = Settings(
            folder=os.path.abspath(where.folder),
            environment=inherited(os.environ),
            oversubscribe=True,
            mpi=where.mpi,
        )

    def warm(self) -> None:
        """Begin to start the process that pods will be children of."""
        self._local.warm(self._settings)

    async def start(self, job: Manifest) -> Supervisor:
        """Make a job, and return who runs it in this process."""
        return self._local.create(job, self._settings)

    async def detach(self, job: Manifest) -> Manifest:
        """Make a job that a process of its own runs, and return it."""
        return self._local.detach(job, self._settings)

    async def remove(self, job: Manifest) -> None:
        """Delete a job with all that was kept of it."""
        await self.objects.delete(ref_of(job), uid=uid_of(job))
        await self._local.attend(Key(*key_of(job)))

    def new_folder(self) -> Folder:
        """Make a folder for a call, in the user's home."""
        return new_folder(self._local.home.path / "calls")

    def folder(self, place: str) -> Folder:
        """Return the folder at a path."""
        return PathFolder(Path(place))

    def program(self, folder: Folder) -> tuple[str, ...]:
        """Return what each rank runs: this very Python."""
        return sys.executable, "-u", f"{folder.place}/rank.py", folder.place

    def surroundings(self) -> Surroundings:
        """Return where this process finds its modules: ranks find them there too."""
        packages = str(self._local.home.path / "packages")
        return Surroundings(path=shipping.import_path(), packages_folder=packages)


@asynccontextmanager
async def opened(where: Here) -> AsyncIterator[Place]:
    """Open the jobs of this machine. Raises JobError where that cannot be."""
    try:
        async with backend.opened() as local:
            yield LocalPlace(local, where)
    except HomeUnusable as unusable:
        raise JobError(str(unusable)) from None
    except RuntimeFailed as failure:
        raise JobError(f"no pod can run here: {failure}; `mpijob doctor` tells more") from None
