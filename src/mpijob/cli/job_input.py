"""The job file of a command line: read, placed, and refused in words that name file and line."""

from collections.abc import Iterable
from typing import IO, Any

import click
from msgspec.structs import replace

from mpijob import jobfile
from mpijob.api import versions
from mpijob.api.manifest import as_if_named, key_of, renamed
from mpijob.cli import exits
from mpijob.cli.render.complaints import lines
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import DEFAULT_NAMESPACE
from mpijob.core.finding import Severity, finding
from mpijob.core.job import MPIJob, Rejected
from mpijob.jobfile import Complaint, JobFile
from mpijob.jobfile.inspection import errors, inspected


class WrongJob(Trouble):
    """A job file cannot be used: each reason is a line with its place, and a hint below it."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(map(str, self.complaints)), code=exits.INVALID)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print every complaint to stderr."""
        click.echo(lines(self.complaints), file=file, err=True, nl=False)


def read(source: str) -> JobFile:
    """Return the job file at the path `source`, or on standard input for "-".

    Raises:
        WrongJob: It cannot be read, or it holds no MPIJob.

    """
    try:
        return jobfile.read(source)
    except jobfile.Invalid as invalid:
        raise WrongJob(invalid.complaints) from None


def placed(
    file: JobFile, *, name: str = "", namespace: str = "", home: str = DEFAULT_NAMESPACE
) -> JobFile:
    """Return the job file with what the command line says of name and namespace.

    Where neither says a namespace, it is `home`.
    """
    chosen = namespace or key_of(file.manifest)[0] or home
    manifest = renamed(file.manifest, name=name, namespace=chosen)
    return replace(file, manifest=manifest)


def sound(file: JobFile) -> MPIJob:
    """Return the job of a file. Raises WrongJob with all that keeps it from running."""
    wrong = errors(file)
    if wrong:
        raise WrongJob(wrong)
    job = versions.job(as_if_named(file.manifest))
    if isinstance(job, Rejected):
        raise WrongJob(file.complaints(finding(problem) for problem in job.problems))
    return job


def warnings(file: JobFile) -> tuple[Complaint, ...]:
    """Return what is likely a mistake in a file that can be run all the same."""
    return tuple(one for one in inspected(file) if one.finding.severity is Severity.WARNING)
