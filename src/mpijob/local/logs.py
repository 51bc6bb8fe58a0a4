"""What containers have written, as the adapter of the port `Logs`: files, followed by inotify."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncIterator
from pathlib import Path

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local.home import Home, PodFolder
from mpijob.local.journal import Journal
from mpijob.ports import NotFound

_ENDED = ("Succeeded", "Failed")
_PIECE = 1 << 16
_IN_MODIFY = 0x2
_IN_CREATE = 0x100
_IN_NONBLOCK = 0o4000
_IN_CLOEXEC = 0o2000000


class LocalLogs:
    """The logs of this machine's pods, those of pods that are gone too, until their job is."""

    def __init__(self, home: Home, journal: Journal) -> None:
        self._home = home
        self._journal = journal

    async def read(
        self,
        pod: Ref,
        container: str = "",
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield what a container wrote, in pieces; with `follow`, what it writes until it ends.

        `container` "" is the pod's first. `previous` is the run before the last restart.
        Raises NotFound where there is no such pod, container or run.
        """
        folder = await self._folder_in_time(pod) if follow else self._folder(pod)
        name = container or self._first(pod, folder)
        if follow:
            async for piece in self._followed(pod, folder, name, tail_lines):
                yield piece
            return
        runs = _runs(folder, name)
        wanted = runs[-2:-1] if previous else runs[-1:]
        if not wanted:
            which = "no run before its last" if previous else "no log"
            raise NotFound(f"pod {pod.namespace}/{pod.name}, container {name}: there is {which}")
        for piece in _pieces(wanted[0], tail_lines):
            yield piece

    def containers(self, pod: Ref) -> list[str]:
        """Return the containers of a pod that have a log, those first that the pod names first."""
        folder = self._folder(pod)
        named = [c["name"] for c in _containers(self._journal.store.get(pod))]
        there = [path.name for path in folder.logs.glob("*")]
        return sorted(there, key=lambda name: (name not in named, name))

    def pods(self, namespace: str, job: str, uid: str) -> list[str]:
        """Return the names of a job's pods that have left logs, those of later ones last."""
        found = (self._home.jobs / namespace / f"{job}-{uid[:8]}" / "pods").glob("*-????????")
        return [path.name[:-9] for path in sorted(found, key=lambda path: path.stat().st_mtime)]

    # How it is done.

    def _folder(self, pod: Ref) -> PodFolder:
        """Return the folder of the pod of that name, the latest where there were several."""
        found = (self._home.jobs / pod.namespace).glob(f"*/pods/{pod.name}-????????")
        paths = sorted(found, key=lambda path: path.stat().st_mtime)
        known = self._journal.store.get(pod)
        if known is not None:
            mark = known["metadata"]["uid"][:8]
            paths = [path for path in paths if path.name.endswith(f"-{mark}")]
        if not paths:
            raise NotFound(f"pod {pod.namespace}/{pod.name} has no log on this machine")
        return PodFolder(paths[-1])

    async def _folder_in_time(self, pod: Ref) -> PodFolder:
        """Return the pod's folder as soon as there is one, while the pod may yet be started."""
        news = asyncio.Event()
        feed = self._journal.subscribe(Kind.POD, news.set)
        try:
            while True:
                with contextlib.suppress(NotFound):
                    return self._folder(pod)
                known = self._journal.store.get(pod)
                if known is None or known.get("status", {}).get("phase") in _ENDED:
                    return self._folder(pod)
                await _next(news)
        finally:
            self._journal.unsubscribe(feed)

    def _first(self, pod: Ref, folder: PodFolder) -> str:
        named = [c["name"] for c in _containers(self._journal.store.get(pod))]
        if named:
            return str(named[0])
        there = sorted(path.name for path in folder.logs.glob("*"))
        if not there:
            raise NotFound(f"pod {pod.namespace}/{pod.name} has no log on this machine")
        return there[0]

    async def _followed(
        self, pod: Ref, folder: PodFolder, container: str, tail_lines: int | None
    ) -> AsyncIterator[bytes]:
        """Yield the newest run's log, and what is added until the container has ended."""
        news = asyncio.Event()
        feed = self._journal.subscribe(Kind.POD, news.set)
        watch = _Watch(folder.logs / container, news)
        try:
            while not _runs(folder, container):
                if self._has_ended(pod, folder, container):
                    return
                await _next(news)
            path = _runs(folder, container)[-1]
            watch.add(path)
            # A file of this machine: reading it waits for nobody.
            with open(path, "rb") as file:  # noqa: ASYNC230
                file.seek(_tail_start(path, tail_lines))
                while True:
                    # Looked at before the file is read, so that nothing written last is missed.
                    over = self._has_ended(pod, folder, container)
                    while piece := file.read(_PIECE):
                        yield piece
                    if over or path != _runs(folder, container)[-1]:
                        return
                    await _next(news)
        finally:
            watch.close()
            self._journal.unsubscribe(feed)

    def _has_ended(self, pod: Ref, folder: PodFolder, container: str) -> bool:
        """Say whether the container's present run is over."""
        known = self._journal.store.get(pod)
        if known is None or not folder.path.name.endswith(known["metadata"]["uid"][:8]):
            return True
        status = known.get("status", {})
        if status.get("phase") in _ENDED:
            return True
        rows = [
            *(status.get("initContainerStatuses") or ()),
            *(status.get("containerStatuses") or ()),
        ]
        states = [row["state"] for row in rows if row["name"] == container]
        return any("terminated" in state for state in states)


class _Watch:
    """An inotify watch that rings an event when a log's folder or file changes."""

    def __init__(self, folder: Path, news: asyncio.Event) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "inotify")
        self._news = news
        folder.mkdir(parents=True, exist_ok=True)
        self._add(folder, _IN_CREATE)
        asyncio.get_running_loop().add_reader(self._descriptor, self._hear)

    def add(self, path: Path) -> None:
        """Watch a file for what is written to it."""
        self._add(path, _IN_MODIFY)

    def close(self) -> None:
        """End the watch."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _add(self, path: Path, mask: int) -> None:
        if self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, 1 << 14):
                pass
        self._news.set()


async def _next(news: asyncio.Event) -> None:
    await news.wait()
    news.clear()


def _containers(pod: Manifest | None) -> list[Manifest]:
    return list(pod["spec"]["containers"]) if pod is not None else []


def _runs(folder: PodFolder, container: str) -> list[Path]:
    """Return the logs of a container's runs, in order."""
    return sorted((folder.logs / container).glob("*.log"), key=lambda path: int(path.stem))


def _pieces(path: Path, tail_lines: int | None) -> list[bytes]:
    with open(path, "rb") as file:
        file.seek(_tail_start(path, tail_lines))
        return list(iter(lambda: file.read(_PIECE), b""))


def _tail_start(path: Path, lines: int | None) -> int:
    """Return where the last so many lines of a file begin; 0 for all of it."""
    if lines is None:
        return 0
    with open(path, "rb") as file:
        start = file.seek(0, os.SEEK_END)
        left = lines + 1
        while start > 0:
            size = min(_PIECE, start)
            start -= size
            file.seek(start)
            block = file.read(size)
            if start + size == path.stat().st_size and block.endswith(b"\n"):
                block = block[:-1]
                left = lines
            while (cut := block.rfind(b"\n")) >= 0:
                left -= 1
                if left == 0:
                    return start + cut + 1
                block = block[:cut]
    return 0
