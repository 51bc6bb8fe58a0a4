"""`mpijob doctor`: what this machine can run."""

import sys

import click

from mpijob.cli import exits
from mpijob.cli.checkup import checkup
from mpijob.cli.output import output_option, written
from mpijob.cli.render import checks
from mpijob.cli.render.checks import Health


@click.command("doctor")
@output_option("json", "yaml")
def command(output: str | None) -> int:
    """Say what this machine can run, and what to do about what it cannot.

    Looks at the MPIs that are installed, at CPUs, memory and GPUs, at whether pods can have
    namespaces of their own, and at the folder that remembers the jobs. Exits 1 where jobs cannot
    run at all.
    """
    found = list(checkup())
    if output:
        click.echo(written(checks.as_json(found), output), nl=False)
    else:
        click.echo(checks.report(found, colour=sys.stdout.isatty()), nl=False)
    return exits.FAILED if any(c.health is Health.BROKEN for c in found) else exits.OK
