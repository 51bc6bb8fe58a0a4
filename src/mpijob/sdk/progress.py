"""How a job comes along, shown to who waits: in a notebook, on a terminal, or not at all."""

import sys
from contextlib import aclosing
from typing import Any, Protocol, TextIO

from mpijob.core.job import Key
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope
from mpijob.ports import ChangeType
from mpijob.sdk.place import Place
from mpijob.sdk.state import JobState, state_of


class Progress(Protocol):
    """Shows how a job comes along."""

    def show(self, state: JobState) -> None:
        """Show the job as it is now."""
        ...

    def stop(self) -> None:
        """Give way to what the job itself writes."""
        ...


class Silence:
    """Shows nothing."""

    def show(self, state: JobState) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Go on showing nothing."""


class Line:
    """Shows a job in a line of a terminal that changes, until it speaks for itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._stopped = False

    def show(self, state: JobState) -> None:
        """Show the job as it is now."""
        if not self._stopped:
            self._write(str(state))

    def stop(self) -> None:
        """Take the line away."""
        self._stopped = True
        if self._shown:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(len(self._shown))}\r{text}")
        self._stream.flush()
        self._shown = text


class Cell:
    """Shows a job below a notebook's cell, as a table that changes until the job has ended."""

    def __init__(self, display: Any) -> None:
        """`display` is IPython's."""
        self._display = display
        self._handle: Any = None
        self._shown: JobState | None = None

    def show(self, state: JobState) -> None:
        """Show the job as it is now."""
        if state == self._shown:
            return
        self._shown = state
        if self._handle is None:
            self._handle = self._display(state, display_id=True)
        else:
            self._handle.update(state)

    def stop(self) -> None:
        """Go on: what the job writes has a place of its own."""


def progress() -> Progress:
    """Return what fits where this process is looked at."""
    shell = sys.modules.get("IPython")
    if shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None:
        from importlib import import_module

        return Cell(import_module("IPython.display").display)
    return Line(sys.stderr) if sys.stderr.isatty() else Silence()


async def follow(place: Place, key: Key, shown: Progress) -> None:
    """Show a job whenever it has changed, until cancelled."""
    if isinstance(shown, Silence):
        return
    async with aclosing(place.changes(Kind.MPI_JOB, Scope(*key))) as changes:
        async for change in changes:
            told = change.manifest
            if change.type in (ChangeType.SYNCED, ChangeType.DELETED) or isinstance(told, bytes):
                continue
            state = state_of(told)
            if (state.namespace, state.name) == (key.namespace, key.name):
                shown.show(state)
