"""`mpijob convert`: a job file of one version as one of another."""

import click

from mpijob.api.convert import converted
from mpijob.cli import exits
from mpijob.cli.job_input import WrongJob, read
from mpijob.cli.output import output_option, written
from mpijob.core.finding import finding
from mpijob.core.job import Rejected
from mpijob.core.version import Version
from mpijob.jobfile.inspection import errors


@click.command("convert")
@click.argument("file", metavar="FILE", required=False)
@click.option("-f", "--filename", metavar="FILE", help="The same, as kubectl has it.")
@click.option(
    "--to",
    type=click.Choice([version.value for version in Version]),
    default=Version.V2BETA1.value,
    show_default=True,
    help="The version to write it in.",
)
@output_option("yaml", "json")
def command(*, file: str | None, filename: str | None, to: str, output: str | None) -> int:
    """Print the job in FILE as a job file of another version.

    "-" is standard input. What that version cannot say is told on stderr. The way back gives the
    file as it was, unless the new one is edited.
    """
    source = file or filename
    if source is None:
        raise click.UsageError("which job file?")
    job = read(source)
    if wrong := errors(job):
        raise WrongJob(wrong)
    made = converted(job.manifest, Version(to))
    if isinstance(made, Rejected):
        raise WrongJob(job.complaints(finding(problem) for problem in made.problems))
    for line in made.lost:
        click.echo(f"warning: {line}", err=True)
    click.echo(written(made.manifest, output or "yaml"), nl=False)
    return exits.OK
