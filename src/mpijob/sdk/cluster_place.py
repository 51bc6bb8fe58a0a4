"""A cluster, as a place where jobs run: an operator there acts on them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mpijob.api.manifest import images_of, key_of, ref_of, renamed, uid_of
from mpijob.core.job import Manifest
from mpijob.core.version import Version
from mpijob.kube.client import Client
from mpijob.kube.config import connection
from mpijob.kube.entries import ConfigError
from mpijob.kube.sight import ClusterRun, ClusterSight, reached
from mpijob.ports import Forbidden, Unknown, Unreachable, Unserved
from mpijob.sdk.errors import JobError, JobFailed
from mpijob.sdk.folder import Folder, PathFolder, new_folder
from mpijob.sdk.place import Place
from mpijob.sdk.shipping import Surroundings
from mpijob.sdk.where import STORAGE_VARIABLE, Cluster

#: Where pods see the volume that calls are kept on.
_MOUNT = "/mpijob-calls"
_VOLUME = "mpijob-calls"
_AS_ROOT = [
    {"name": name, "value": "1"}
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
]
#: What a rank of a call in an object store runs: the program is there too.
_FETCHED = (
    "import fsspec, sys; at = sys.argv[1]; "
    "exec(compile(fsspec.open(at + '/rank.py').open().read(), at + '/rank.py', 'exec'))"
)


class ClusterPlace(ClusterSight, Place):
    """What one user may see and do on a cluster."""

    def __init__(self, client: Client, version: Version, where: Cluster, namespace: str) -> None:
        """Jobs are asked for in that `version`."""
        super().__init__(client, version)
        self._where = where
        self.namespace = namespace

    async def start(self, job: Manifest) -> ClusterRun:
        """Make a job, and return what watches it; one that was given up while it was made goes."""
        making = asyncio.create_task(self.detach(job))
        try:
            return ClusterRun(self, await asyncio.shield(making))
        except asyncio.CancelledError:
            await self.remove(await making)
            raise

    async def detach(self, job: Manifest) -> Manifest:
        """Make a job, and return it."""
        if not images_of(job):
            raise JobFailed(
                "on a cluster a job needs an image that has its program and MPI: "
                "@task(…, container_image=…)"
            )
        if not key_of(job)[0]:
            job = renamed(job, namespace=self.namespace)
        return await self.objects.made(job)

    async def remove(self, job: Manifest) -> None:
        """Delete a job with all that was kept of it."""
        await self.objects.delete(ref_of(job), uid=uid_of(job))

    def new_folder(self) -> Folder:
        """Make a folder for a call where ranks can reach it too. Raises JobError."""
        storage = self._where.storage
        if not storage:
            raise JobError(
                "functions and results need a place that this machine and the cluster's pods "
                f"both reach: Cluster(storage=…), or ${STORAGE_VARIABLE}"
            )
        if "://" in storage:
            return _Stored(f"{storage.rstrip('/')}/{secrets.token_hex(8)}")
        if not self._where.volume:
            raise JobError(
                f"pods do not know the folder {storage}: say which volume it is, "
                'as in Cluster(volume={"persistentVolumeClaim": {"claimName": …}})'
            )
        folder = new_folder(Path(storage), seen_as=_MOUNT)
        # Ranks may be another user.
        folder.path.chmod(0o777)
        return folder

    def folder(self, place: str) -> Folder:
        """Return the folder that ranks know by that path or URL."""
        if "://" in place:
            return _Stored(place)
        return PathFolder(Path(self._where.storage) / Path(place).name, place)

    def program(self, folder: Folder) -> tuple[str, ...]:
        """Return what each rank runs: the Python of the image."""
        if "://" in folder.place:
            return "python3", "-u", "-c", _FETCHED, folder.place
        return "python3", "-u", f"{folder.place}/rank.py", folder.place

    def surroundings(self) -> Surroundings:
        """Return that nothing of this machine is there."""
        return Surroundings(is_elsewhere=True)

    def fitted(self, job: Manifest) -> Manifest:
        """Return a call's job with the volume and the Secret that its ranks need.

        A call's mpirun may run as root where the image does, as Flyte's own may.
        """
        where = self._where
        changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(job))
        for role in changed["spec"]["mpiReplicaSpecs"].values():
            pod = role["template"]["spec"]
            for container in pod["containers"]:
                container["env"] = [*container.get("env", ()), *_AS_ROOT]
                if where.volume:
                    mount = {"name": _VOLUME, "mountPath": _MOUNT}
                    container.setdefault("volumeMounts", []).append(mount)
                if where.secret:
                    source = {"secretRef": {"name": where.secret}}
                    container.setdefault("envFrom", []).append(source)
            if where.volume:
                pod.setdefault("volumes", []).append({"name": _VOLUME, **where.volume})
        return changed


class _Stored:
    """A call's folder in an object store, through fsspec."""

    def __init__(self, place: str) -> None:
        try:
            import fsspec
        except ImportError:
            told = f"{place} needs fsspec: pip install 'mpijob[storage]'"
            raise JobError(told) from None
        self.place = place
        self._system, self._path = fsspec.core.url_to_fs(place)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        parent = f"{self._path}/{name}".rpartition("/")[0]
        self._system.makedirs(parent, exist_ok=True)
        self._system.pipe_file(f"{self._path}/{name}", content)

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading. Raises FileNotFoundError."""
        opened: AbstractContextManager[BinaryIO] = self._system.open(f"{self._path}/{name}", "rb")
        return opened

    def names(self) -> list[str]:
        """Return the names of the files, none where the folder is gone."""
        self._system.invalidate_cache()
        try:
            return sorted(
                path.rpartition("/")[2] for path in self._system.ls(self._path, detail=False)
            )
        except FileNotFoundError:
            return []

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        if self._system.exists(self._path):
            self._system.rm(self._path, recursive=True)


@asynccontextmanager
async def opened(where: Cluster) -> AsyncIterator[Place]:
    """Open the jobs of a cluster. Raises JobError where it will not do, in words."""
    try:
        known = connection(where.kubeconfig, where.context)
    except ConfigError as missing:
        raise JobError(str(missing)) from missing
    try:
        async with reached(known) as (client, version):
            yield ClusterPlace(client, version, where, where.namespace or known.namespace)
    except Unserved as lacking:
        raise JobError(
            f"the cluster at {known.server} does not know MPIJobs: `mpijob install` changes that"
        ) from lacking
    except Unknown as unknown:
        raise JobError(
            f"{known.server} does not know who you are: log in anew, or choose a context"
        ) from unknown
    except (Forbidden, Unreachable) as failure:
        raise JobError(f"no good answer from {known.server}: {failure}") from failure
