"""What a command says when it cannot go on: one message, one hint, one exit code."""

import os
from typing import IO, Any

import click

from mpijob.cli import exits

#: Set to anything but "" or "0", it shows where in our code a defect came up.
TRACEBACK = "MPIJOB_TRACEBACK"


class Trouble(click.ClickException):
    """A command cannot go on, for a reason that the person in front of it can act on.

    Args:
        message: What is wrong and where, in one sentence or one line a problem.
        hint: What to do about it; "" where the message says so itself.
        code: The exit code, one of `exits`.

    """

    def __init__(self, message: str, *, hint: str = "", code: int = exits.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What the process ends with."""
        return self.code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, and below it the hint, to stderr."""
        for line in self.message.splitlines():
            click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", file=file, err=True)
        if self.hint:
            click.echo(f"{click.style('hint:', fg='cyan')} {self.hint}", file=file, err=True)


def translated(error: Exception) -> Trouble | None:
    """Return what a port's exception means to a person, or None where it is a defect of ours."""
    from mpijob import ports

    match error:
        case ports.NotFound():
            return Trouble(str(error) or "there is no such object", code=exits.NOT_FOUND)
        case ports.Conflict():
            return Trouble(
                str(error) or "the object changed meanwhile",
                hint="look again and repeat the command",
                code=exits.CONFLICT,
            )
        case ports.Refused():
            return Trouble(str(error) or "the server refused the request", code=exits.INVALID)
        case ports.Unreachable():
            return Trouble(str(error) or "no answer came", hint="`mpijob doctor` tells more")
        case PermissionError() | FileNotFoundError() if error.filename:
            return Trouble(f"{error.filename}: {error.strerror}")
        case OSError() if error.strerror:
            where = f"{error.filename}: " if error.filename else ""
            return Trouble(f"{where}{error.strerror}")
        case _:
            return None


def wants_traceback() -> bool:
    """Say whether the person asked for tracebacks."""
    return os.environ.get(TRACEBACK, "") not in ("", "0")


def defect(error: Exception) -> Trouble:
    """Return what to say of an exception that nobody foresaw: what, and how to learn where."""
    return Trouble(
        f"a defect of mpijob: {type(error).__name__}: {error}",
        hint=f"{TRACEBACK}=1 shows where it came up; please report it with that",
        code=exits.INTERNAL,
    )
