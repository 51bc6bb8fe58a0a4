"""`mpijob init`: a job file to begin with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mpijob.api.new_job import named_after
from mpijob.cli import exits
from mpijob.cli.job_options import FLAVOURS, job_options, new_job
from mpijob.cli.render.job_file import job_file
from mpijob.cli.trouble import Trouble

#: What a job runs whose author has not yet said: it says where its ranks are, on any MPI.
_SAYS_WHERE = ("hostname",)


@click.command("init")
@click.option(
    "-f", "--file", default="job.yaml", show_default=True, help="Where to write; - is stdout."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("--name", default="", help="The job's name; usually the program's.")
@click.option(
    "--mpi",
    type=click.Choice(list(FLAVOURS)),
    default="openmpi",
    show_default=True,
    help="Which MPI.",
)
@job_options
@click.argument("words", nargs=-1, metavar="[-- PROGRAM [ARGUMENT]...]")
def command(
    *, file: str, force: bool, name: str, mpi: str, words: Sequence[str], **flags: Any
) -> int:
    """Write a commented job file to begin with.

    Every field says what it does. With a PROGRAM the job runs it; else it says where its ranks are.
    """
    flags["workers"], flags["slots"] = flags["workers"] or 2, flags["slots"] or 1
    program = tuple(words) or _SAYS_WHERE
    new = new_job(program, name or named_after(program), FLAVOURS[mpi], flags)
    if file == "-":
        click.echo(job_file(new, "job.yaml"), nl=False)
        return exits.OK
    try:
        with Path(file).open("w" if force else "x") as opened:
            opened.write(job_file(new, file))
    except FileExistsError:
        hint = "--force overwrites it, -f writes another"
        raise Trouble(f"{file} is there already", hint=hint, code=exits.INVALID) from None
    click.echo(f"Wrote {file}. To run it here: mpijob run {file}", err=True)
    return exits.OK
