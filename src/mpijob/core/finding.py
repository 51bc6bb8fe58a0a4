"""What is said about a job that somebody wrote: how bad, where, what, and how to mend it."""

from enum import StrEnum

from msgspec import Struct

from mpijob.core.job import Problem


class Severity(StrEnum):
    """How bad a finding is, the worst first.

    An error keeps the job from running, or from doing what it says. A warning is likely a
    mistake. Advice is about a job that runs, and could run better.
    """

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Finding(Struct, frozen=True):
    """One thing that is to be said about a job.

    Args:
        severity: How bad it is.
        field: The path of the field, as Kubernetes spells it; "" for the job as a whole.
        message: What is wrong.
        hint: What to do about it; "" where the message says it all.

    """

    severity: Severity
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return (
            f"{self.severity}: {self.field}: {self.message}"
            if self.field
            else (f"{self.severity}: {self.message}")
        )


def finding(problem: Problem, hint: str = "") -> Finding:
    """Return a problem as a finding: it keeps the job from running."""
    message = str(problem).removeprefix(f"{problem.field}: ")
    return Finding(Severity.ERROR, problem.field, message, hint)


def error(field: str, message: str, hint: str = "") -> Finding:
    """Return what keeps a job from running, or from doing what it says."""
    return Finding(Severity.ERROR, field, message, hint)


def warning(field: str, message: str, hint: str = "") -> Finding:
    """Return what is likely a mistake."""
    return Finding(Severity.WARNING, field, message, hint)


def advice(field: str, message: str, hint: str = "") -> Finding:
    """Return what would do a job good that runs as it is."""
    return Finding(Severity.ADVICE, field, message, hint)
