"""What a person sees on stderr while a job runs: live lines on a terminal, else notes."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import click

from mpijob.cli.render.facts import short
from mpijob.cli.render.progress import progress
from mpijob.core.explain import Weight, explain
from mpijob.core.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


class Watching(Protocol):
    """Shows how a job comes along.

    `tick_s` is after how many seconds it shows the job again where nothing has changed, None for
    never.
    """

    tick_s: float | None

    def show(self, observed: Observed, now: datetime) -> None:
        """Show the job as it is now."""
        ...

    def stop(self) -> None:
        """Show nothing that changes any more: somebody else writes to the terminal."""
        ...


class Notes:
    """Says once, in a line each, what hinders a job."""

    tick_s: float | None = None

    def __init__(self) -> None:
        self._said: set[str] = set()

    def show(self, observed: Observed, now: datetime) -> None:  # noqa: ARG002 (the protocol's)
        """Say what hinders the job now and was not said before."""
        for fact in explain(observed):
            line = short(fact)
            if fact.weight is Weight.CAUSE and not (
                line in self._said or fact.subject in heard(observed)
            ):
                self._said.add(line)
                advice = f" ({fact.advice})" if fact.advice else ""
                note(f"{line}{advice}")

    def stop(self) -> None:
        """Go on: a note is a line of its own."""


class Lines:
    """Shows a job in a few lines that change on the terminal, until it speaks for itself."""

    def __init__(self) -> None:
        self.tick_s: float | None = 1.0
        self._live: Live | None = None
        self._notes = Notes()
        self._stopped = False

    def show(self, observed: Observed, now: datetime) -> None:
        """Show the job as it is now; once stopped, say what hinders it."""
        if self._stopped:
            self._notes.show(observed, now)
            return
        if self._live is None:
            self._live = _started()
        self._live.update(_text(progress(observed, now)), refresh=True)

    def stop(self) -> None:
        """Take the lines away."""
        self._stopped = True
        self.tick_s = None
        if self._live is not None:
            self._live.stop()
            self._live = None


class Silence:
    """Shows nothing."""

    tick_s: float | None = None

    def show(self, observed: Observed, now: datetime) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Go on showing nothing."""


def watching(*, quiet: bool) -> Watching:
    """Return what fits where stderr goes: a terminal gets lines that change, a file gets notes."""
    if quiet:
        return Silence()
    return Lines() if sys.stderr.isatty() else Notes()


def heard(observed: Observed) -> set[str]:
    """Return the subjects of facts that need no telling: launchers, whose output is passed on."""
    launchers = observed.launcher_pods
    return {f"pod {pod.name}" for pod in launchers if any(c.has_run for c in pod.containers)}


def note(text: str) -> None:
    """Say something of mpijob's own while a job runs."""
    click.echo(f"{click.style('note:', fg='cyan')} {text}", err=True)


def _started() -> "Live":
    """Return rich's live display; rich takes longer to import than most commands to run."""
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
    live.start()
    return live


def _text(lines: Sequence[str]) -> "Text":
    from rich.text import Text

    head, *rest = lines
    return Text("\n").join([Text(head, style="bold"), *map(Text, rest)])
