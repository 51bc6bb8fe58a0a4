"""What a controller does, in order: from the master's pod that is there to the worker that may end.

Expected flow: the GPUs' driver is waited for, data is brought, and the worker may begin (SIGCONT).
When the master has ended, data is taken away. However all this ends, the worker may end (SIGTERM).

Source: `controller/controller.py` of the openmpi package, kubeflow v0.4.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from mpijob.generate.openmpi.choices import Transfer
from mpijob.generate.openmpi.texts import CONTINUE, SIGNALS, TERMINATE, TIMED_OUT
from mpijob.ports import Change, NotFound, Refused, Unreachable
from mpijob.sidecar.master import Master, followed
from mpijob.sidecar.orders import Orders
from mpijob.sidecar.s3 import Stopped, Store, StoreFailed

_log = logging.getLogger(__name__)
#: What NVIDIA's driver has there once it is loaded.
DRIVER = Path("/proc/driver/nvidia/version")
_LOOK_S = 0.5


class Failed(Exception):
    """The controller cannot do what it was told; `code` is what it exits with."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Surroundings(Struct, frozen=True):
    """What a controller has around it.

    Args:
        folder: The worker's data: what it is told of is relative to it, and signals are in it.
        environment: What says where S3 is, and who asks.
        changes: Watches pods, the master among them.
        driver: What is there once the driver of the GPUs is.

    """

    folder: Path
    environment: Mapping[str, str]
    changes: Callable[[], AsyncIterator[Change]]
    driver: Path = DRIVER


class Signals:
    """The files by which a controller tells its worker what it may do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SIGNALS
        try:
            self._folder.mkdir()
        except OSError as broken:
            raise Failed(f"cannot make {self._folder}: {broken}") from broken

    def begin(self) -> None:
        """Let the worker begin."""
        (self._folder / CONTINUE).touch()

    def end(self) -> None:
        """Let the worker end."""
        (self._folder / TERMINATE).touch()


async def course(orders: Orders, around: Surroundings, signals: Signals) -> None:
    """Mind a worker from its first moment to its master's end.

    Raises:
        Failed: It could not; the worker may end all the same.

    """
    watch = _Watch(around.changes(), orders.master)
    lack = _Lack(f"there is no pod {orders.master}")
    try:
        await _unless_ended(watch, lack, _prepared(orders, around, watch, lack))
        signals.begin()
        _log.info("the worker may begin")
        _log.info("the master has ended: %s", (await watch.until(_has_ended)).end)
        if orders.upload is not None:
            await _uploaded(orders.upload, around)
    finally:
        signals.end()
        await watch.close()


class _Watch:
    """Follows the master, and lets others wait for what becomes of it."""

    def __init__(self, changes: AsyncIterator[Change], name: str) -> None:
        self.master = Master()
        self._news = asyncio.Event()
        self._following = asyncio.create_task(self._follow(changes, name))

    async def until(self, is_so: Callable[[Master], bool]) -> Master:
        """Return the master once it is so. Raises Failed where it cannot be watched."""
        while not is_so(self.master):
            self._news.clear()
            waiting = asyncio.create_task(self._news.wait())
            try:
                both = {waiting, self._following}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
            if self._following.done():
                self._following.result()
                raise Failed("the watch of the master has ended")
        return self.master

    async def close(self) -> None:
        """Stop following."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self, changes: AsyncIterator[Change], name: str) -> None:
        try:
            async for master in followed(changes, name):
                self.master = master
                self._news.set()
        except (Refused, Unreachable, NotFound) as trouble:
            raise Failed(f"cannot watch the master {name}: {trouble}") from trouble


def _has_ended(master: Master) -> bool:
    return bool(master.end)


class _Lack:
    """What a worker still lacks to begin."""

    def __init__(self, what: str) -> None:
        self.what = what


async def _unless_ended(watch: _Watch, lack: _Lack, preparing: Coroutine[Any, Any, None]) -> None:
    """Prepare; raise Failed where the master has ended before that is done."""
    task = asyncio.create_task(preparing)
    ending = asyncio.create_task(watch.until(_has_ended))
    try:
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        else:
            end = ending.result().end
            told = f"the master has ended ({end}) before this worker could begin"
            raise Failed(f"{told}: {lack.what}")
    finally:
        for each in (task, ending):
            each.cancel()
        await asyncio.gather(task, ending, return_exceptions=True)


async def _prepared(orders: Orders, around: Surroundings, watch: _Watch, lack: _Lack) -> None:
    """Return once the worker can begin. Raises Failed, with `TIMED_OUT` where it takes too long."""
    try:
        async with asyncio.timeout(orders.timeout_s):
            await watch.until(lambda master: master.seen)
            if orders.gpus:
                lack.what = f"there is no driver of the GPUs: {around.driver} is not there"
                while not around.driver.exists():  # noqa: ASYNC110  # The kernel tells nobody.
                    await asyncio.sleep(_LOOK_S)
            if orders.download is not None:
                lack.what = f"{orders.download.source} is not downloaded"
                await _downloaded(orders.download, around)
    except TimeoutError:
        raise Failed(f"after {orders.timeout_s} s {lack.what}", TIMED_OUT) from None


async def _downloaded(transfer: Transfer, around: Surroundings) -> None:
    folder = around.folder / transfer.target
    count = await _in_thread(around, lambda store: store.download(transfer.source, folder))
    if count:
        _log.info("%s files of %s are in %s", count, transfer.source, folder)
    else:
        _log.warning("there is nothing below %s to download", transfer.source)


async def _uploaded(transfer: Transfer, around: Surroundings) -> None:
    folder = around.folder / transfer.source
    if not folder.exists():
        _log.warning("there is no %s to upload", folder)
        return
    count = await _in_thread(around, lambda store: store.upload(folder, transfer.target))
    _log.info("%s files of %s are in %s", count, folder, transfer.target)


async def _in_thread(around: Surroundings, act: Callable[[Store], int]) -> int:
    """Return what is done with the store; who is cancelled here has it stop soon."""
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    try:
        return await asyncio.to_thread(lambda: act(Store(around.environment, pause)))
    except StoreFailed as failed:
        raise Failed(str(failed)) from failed
    finally:
        stop.set()
