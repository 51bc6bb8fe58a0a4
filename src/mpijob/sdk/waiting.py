"""Coroutines awaited from plain code: in scripts, in threads, and where a loop runs already."""

import asyncio
import contextlib
import functools
import inspect
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing
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
            self.cancel()
            self._thread.join()
            raise
        if self._raised is not None:
            raise self._raised
        return cast("Result", self._value)

    def cancel(self) -> None:
        """Cancel the coroutine, from another thread; one that has ended stays as it is."""
        self._begun.wait()
        assert self._loop is not None
        assert self._task is not None
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._task.cancel)

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


def sync_face(wanted: type[Any]) -> Any:
    """Return a class that is `wanted` for code without a loop.

    Its coroutine functions are functions there, and its asynchronous generators are generators,
    each with the same signature and words.
    """
    public = [name for name in vars(wanted) if not name.startswith("_")]
    members = {name: _sync(member) for name in public if (member := getattr(wanted, name))}
    words = f"{(wanted.__doc__ or '').rstrip()}\n\n    No method is awaited.\n    "
    return type(
        wanted.__name__.removeprefix("Async"),
        (wanted,),
        {"__doc__": words, "__module__": wanted.__module__, **members},
    )


def _sync(member: Any) -> Any:
    """Return what a member is in plain code."""
    if inspect.iscoroutinefunction(member):

        @functools.wraps(member)
        def method(*args: Any, **kwargs: Any) -> Any:
            return waited(lambda: member(*args, **kwargs))

        return _unmarked(method)
    if inspect.isasyncgenfunction(member):

        @functools.wraps(member)
        def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            return _pulled(lambda: member(*args, **kwargs))

        return _unmarked(generator)
    return member


def _unmarked(method: Any) -> Any:
    """Return a function that leads to no other, for `inspect` to see it as it is."""
    method.__signature__ = inspect.signature(method)
    del method.__wrapped__
    return method


_DONE = object()


def _pulled(start: Callable[[], AsyncIterator[Any]]) -> Iterator[Any]:
    """Yield what an asynchronous generator yields, which runs in a thread of its own."""
    pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ended: list[BaseException] = []

    async def pump() -> None:
        async with aclosing(start()) as source:  # type: ignore[type-var]
            async for piece in source:
                pieces.put(piece)

    running = _Elsewhere(pump)

    def work() -> None:
        try:
            running.result()
        except BaseException as raised:  # noqa: BLE001  # It is raised in the caller's thread.
            ended.append(raised)
        pieces.put(_DONE)

    thread = threading.Thread(target=work, name="mpijob-logs")
    thread.start()
    try:
        while (piece := pieces.get()) is not _DONE:
            yield piece
    finally:
        running.cancel()
        thread.join()
    if ended:
        raise ended[0]
