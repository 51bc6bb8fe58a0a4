"""A pod's volumes on this machine: folders below the pod's own, kept as their sources say."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from mpijob.core import quantity
from mpijob.core.job import Manifest
from mpijob.core.quantity import NotAQuantity
from mpijob.local.environment import ConfigError, Place, expanded
from mpijob.local.runtime import Mount
from mpijob.local.volume_files import FILE_SOURCES, File, volume_files

#: Where a volume of files keeps them: a link that is turned over from one folder to the next, so
#: that a reader sees all of the old or all of the new.
_CURRENT = "..data"


class MountFailed(Exception):
    """A volume cannot be had; the message is what the event says of it."""


class Volumes:
    """The volumes of one pod."""

    def __init__(self, folder: Path, place: Place, *, namespaced: bool) -> None:
        """`namespaced` says whether the pod sees its volumes at the paths that it names."""
        self._folder = folder
        self._namespaced = namespaced
        self._place = place
        self._volumes = {v["name"]: v for v in place.pod["spec"].get("volumes") or ()}
        security = place.pod["spec"].get("securityContext") or {}
        self._group: int | None = security.get("fsGroup") if os.geteuid() == 0 else None

    def prepare(self) -> None:
        """Make every volume. Raises MountFailed with the first that cannot be had."""
        for name, volume in self._volumes.items():
            try:
                self._prepare(name, volume)
            except (ConfigError, OSError) as error:
                told = (
                    f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
                )
                raise MountFailed(
                    f'MountVolume.SetUp failed for volume "{name}" : {told}'
                ) from error

    def refresh(self, place: Place) -> None:
        """Bring volumes that are made of objects up to date; one that cannot be stays as it is."""
        self._place = place
        for name, volume in self._volumes.items():
            if any(source in volume for source in FILE_SOURCES):
                with contextlib.suppress(ConfigError, OSError):
                    self._write_files(name, volume)

    def mounts(
        self, container: Manifest, variables: Mapping[str, str]
    ) -> list[tuple[Manifest, Mount]]:
        """Return a container's `volumeMounts`, each with the mount that it is here.

        Raises MountFailed.
        """
        entries = container.get("volumeMounts") or ()
        try:
            return [(entry, self._mount(entry, variables)) for entry in entries]
        except (OSError, NotAQuantity) as error:
            raise MountFailed(str(error)) from error

    # How it is done.

    def _prepare(self, name: str, volume: Manifest) -> None:
        if any(source in volume for source in FILE_SOURCES):
            self._write_files(name, volume)
        elif "hostPath" in volume:
            _check_host_path(volume["hostPath"])
        elif "emptyDir" in volume or set(volume) == {"name"}:
            path = self._path(name)
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o777)
            self._give_to_group(path)
        else:
            source = next(key for key in volume if key != "name")
            raise ConfigError(
                f"this machine has no {source} volumes; use emptyDir, hostPath, configMap or secret"
            )

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _mount(self, entry: Manifest, variables: Mapping[str, str]) -> Mount:
        name, target = entry["name"], entry["mountPath"]
        volume = self._volumes.get(name)
        if volume is None:
            raise MountFailed(f'there is no volume "{name}" for the mount at {target}')
        read_only = bool(entry.get("readOnly"))
        inner = entry.get("subPath") or expanded(entry.get("subPathExpr") or "", variables)
        empty = volume.get("emptyDir") or {}
        of_memory = empty.get("medium") == "Memory" and self._namespaced
        if of_memory and not inner and not self._is_shared(name):
            limit = empty.get("sizeLimit")
            size = int(quantity.parse(limit).amount) if limit is not None else None
            return Mount(target, tmpfs=True, read_only=read_only, private=True, size_bytes=size)
        if "hostPath" in volume:
            source = Path(volume["hostPath"]["path"])
            return Mount(target, str(_within(source, inner)), read_only=read_only)
        of_files = any(source in volume for source in FILE_SOURCES)
        return Mount(
            target,
            str(_within(self._path(name), inner)),
            read_only=read_only or of_files,
            private=not inner or not of_files,
        )

    def _is_shared(self, name: str) -> bool:
        """Say whether a volume is mounted more than once, so that its mounts must be one."""
        spec = self._place.pod["spec"]
        containers = (*(spec.get("initContainers") or ()), *spec["containers"])
        places = {
            (entry["mountPath"], entry.get("subPath"), entry.get("subPathExpr"))
            for container in containers
            for entry in container.get("volumeMounts") or ()
            if entry["name"] == name
        }
        return len(places) > 1

    def _write_files(self, name: str, volume: Manifest) -> None:
        files = volume_files(volume, self._place)
        path = self._path(name)
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if _read_files(path / _CURRENT) == files:
            return
        _turn_over(path, files, self._give_to_group)

    def _give_to_group(self, path: Path) -> None:
        """Let the pod's `fsGroup` have a file or folder, as far as its user may."""
        if self._group is not None:
            os.chown(path, -1, self._group)
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | ((mode & 0o700) >> 3) | (stat.S_ISGID if path.is_dir() else 0))


def _turn_over(folder: Path, files: Mapping[str, File], finish: Callable[[Path], None]) -> None:
    """Replace a volume's files with `files`, all at one moment.

    Source: `AtomicWriter.Write`, Kubernetes 1.36 (pkg/volume/util/atomic_writer.go).
    """
    number = 1
    while (fresh := folder / f"..{number}").exists():
        number += 1
    fresh.mkdir()
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
        finish(target)
    old = folder / _CURRENT
    before = old.readlink() if old.is_symlink() else None
    link = folder / "..data_new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(old)
    tops = {path.split("/", 1)[0] for path in files}
    for top in tops:
        with contextlib.suppress(FileExistsError):
            (folder / top).symlink_to(f"{_CURRENT}/{top}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if before is not None:
        shutil.rmtree(folder / before, ignore_errors=True)


def _read_files(folder: Path) -> dict[str, File] | None:
    """Return the files below a folder, None where there is none."""
    if not folder.exists():
        return None
    return {
        str(path.relative_to(folder)): File(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file()
    }


def _within(folder: Path, inner: str) -> Path:
    """Return a path in a volume, made as a folder where it is not there, and never out of it."""
    if not inner:
        return folder
    found = (folder / inner).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise MountFailed(f'subPath "{inner}" leads out of its volume')
    if not found.exists():
        found.mkdir(mode=0o750, parents=True)
    return found


_HOST_PATH_TYPES: dict[str, tuple[str, Callable[[int], bool]]] = {
    "Directory": ("a directory", stat.S_ISDIR),
    "DirectoryOrCreate": ("a directory", stat.S_ISDIR),
    "File": ("a file", stat.S_ISREG),
    "FileOrCreate": ("a file", stat.S_ISREG),
    "Socket": ("a socket file", stat.S_ISSOCK),
    "CharDevice": ("a character device", stat.S_ISCHR),
    "BlockDevice": ("a block device", stat.S_ISBLK),
}


def _check_host_path(source: Manifest) -> None:
    """See to it that a path of this machine is of the type that the volume says.

    Source: `checkType`, Kubernetes 1.36 (pkg/volume/hostpath/host_path.go).
    """
    path, type_ = Path(source["path"]), source.get("type") or ""
    if type_ == "DirectoryOrCreate" and not path.exists():
        path.mkdir(mode=0o755, parents=True)
    elif type_ == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    elif not type_ and not path.exists():
        raise ConfigError(f"hostPath {path} does not exist on this machine")
    if type_ not in _HOST_PATH_TYPES:
        return
    noun, fits = _HOST_PATH_TYPES[type_]
    if not path.exists() or not fits(path.stat().st_mode):
        raise ConfigError(f"hostPath type check failed: {path} is not {noun}")
