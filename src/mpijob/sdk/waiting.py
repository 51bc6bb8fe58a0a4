"""Coroutines awaited from plain code: in scripts, in threads, and where a loop runs already."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

Result = TypeVar("Result")


def waited(start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Return what a coroutine returns, once it does; Ctrl-C cancels it and waits for its end.

    A notebook runs a loop of its own in the thread that its cells run in: there the coroutine gets
    a thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    return _Elsewhere(start).result()


class _Elsewhere(Generic[Result]):
    """A coroutine on a loop in a thread of its own."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        self._start = start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._begun = threading.Event()
        self._value: Result | None = None
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mpijob")

    def result(self) -> Result:
        """Return or raise what the coroutine does."""
        self._thread.start()
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._begun.wait()
            assert self._loop is not None
            assert self._task is not None
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()
            raise
        if self._raised is not None:
            raise self._raised
        return cast("Result", self._value)

    def _run(self) -> None:
        try:
            self._value = asyncio.run(self._whole())
        except BaseException as raised:  # noqa: BLE001  # It is raised in the caller's thread.
            self._raised = raised

    async def _whole(self) -> Result:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._begun.set()
        return await self._start()
