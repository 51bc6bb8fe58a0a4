"""`mpijob lint`: what is wrong or odd in job files, by line and field."""

import sys
from collections.abc import Sequence

import click

from mpijob import jobfile
from mpijob.cli import exits
from mpijob.cli.output import output_option, written
from mpijob.cli.render.complaints import as_json, lines
from mpijob.core.finding import Severity
from mpijob.jobfile import Complaint
from mpijob.jobfile.inspection import inspected


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_option("json", "yaml")
@click.option("--strict", is_flag=True, help="Exit 2 for warnings, too.")
def command(*, files: Sequence[str], output: str | None, strict: bool) -> int:
    """Explain what is wrong or odd in job files.

    Each line names file, line, column and field. An error keeps the job from running; a warning is
    likely a mistake; advice is for a job that runs, and could run better. Exits 2 where there is an
    error. "-" is standard input.
    """
    found = [complaint for file in files for complaint in _complaints(file)]
    if output:
        click.echo(written(as_json(found), output), nl=False)
    else:
        click.echo(lines(found, colour=sys.stdout.isatty()), nl=False)
    worst = {complaint.finding.severity for complaint in found}
    grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return exits.INVALID if worst & grave else exits.OK


def _complaints(source: str) -> Sequence[Complaint]:
    """Return all that is to be said of one file, also where it cannot be read."""
    try:
        return inspected(jobfile.read(source))
    except jobfile.Invalid as invalid:
        return invalid.complaints
