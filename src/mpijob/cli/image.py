"""`mpijob image`: the Containerfile of a project."""

from pathlib import Path

import click

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.core.job import Flavour
from mpijob.generate.image import ImageSettings, Unusable, containerfile

_FAMILIES = {"openmpi": Flavour.OPEN_MPI, "mpich": Flavour.MPICH}
_DEFAULTS = ImageSettings()


@click.command("image")
@click.argument("project", type=click.Path(exists=True, file_okay=False), default=".")
@click.option("-f", "--file", default="-", show_default=True, help="Where to write; - is stdout.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option(
    "--base", default=_DEFAULTS.base, show_default=True, help="The image to begin with, with apt."
)
@click.option(
    "--mpi",
    type=click.Choice(list(_FAMILIES)),
    default="openmpi",
    show_default=True,
    help="Which MPI.",
)
@click.option(
    "--user", default=_DEFAULTS.user, show_default=True, help="Who runs it; any but root is made."
)
@click.option(
    "--requirements",
    default=None,
    metavar="FILE",
    help="What pip installs, in the project; requirements.txt where there is one.",
)
@click.option("--venv", default=_DEFAULTS.venv, show_default=True, help="Where Python's parts go.")
@click.option(
    "--workdir", default=_DEFAULTS.folder, show_default=True, help="Where the project goes."
)
def command(  # noqa: PLR0913  # One parameter an option.
    *,
    project: str,
    file: str,
    force: bool,
    base: str,
    mpi: str,
    user: str,
    requirements: str | None,
    venv: str,
    workdir: str,
) -> int:
    """Write a Containerfile for the project in a folder.

    The image has an MPI, OpenSSH, Python with mpi4py, and the PROJECT, the current folder where
    none is said. Build it in that folder with any builder: buildah, docker, podman.
    """
    settings = ImageSettings(
        base=base,
        flavour=_FAMILIES[mpi],
        user=user,
        requirements=_requirements(Path(project), requirements),
        venv=venv,
        folder=workdir,
    )
    try:
        text = containerfile(settings)
    except Unusable as unusable:
        raise Trouble(str(unusable), code=exits.INVALID) from None
    if file == "-":
        click.echo(text, nl=False)
        return exits.OK
    try:
        with Path(file).open("w" if force else "x") as opened:
            opened.write(text)
    except FileExistsError:
        hint = "--force overwrites it, -f writes another"
        raise Trouble(f"{file} is there already", hint=hint, code=exits.INVALID) from None
    click.echo(f"Wrote {file}. To build it: buildah build -f {file} -t NAME {project}", err=True)
    return exits.OK


def _requirements(project: Path, said: str | None) -> str:
    """Return the project's list of requirements, "" where it has none. Raises Trouble."""
    if said is None:
        return "requirements.txt" if (project / "requirements.txt").is_file() else ""
    if said and not (project / said).is_file():
        raise Trouble(f"there is no {said} in {project}", code=exits.INVALID)
    return said
