"""`mpijob run`: a job, in the foreground or handed on."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from msgspec import Struct

from mpijob.api import versions
from mpijob.api.manifest import images_of, key_of, ref_of, renamed, resource_name, uid_of
from mpijob.api.new_job import free_name
from mpijob.cli import exits
from mpijob.cli.foreground import Foreground
from mpijob.cli.job_input import sound, warnings
from mpijob.cli.job_options import job_options
from mpijob.cli.output import output_option, written
from mpijob.cli.render.complaints import lines
from mpijob.cli.render.jobs import finished, state
from mpijob.cli.submission import Submission, Wish, submission
from mpijob.cli.trouble import Trouble
from mpijob.cli.watching import note, watching
from mpijob.cli.where import meant, where_options
from mpijob.cli.world import World, within
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind
from mpijob.engine.sight import Scope
from mpijob.local.settings import Settings, inherited
from mpijob.ports import Forbidden, Refused, Unknown


class _Run(click.Command):
    """Tells the words before `--` from those after it, which click does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take off what follows `--` before the options are read."""
        before, mark, after = args, "", []
        if "--" in args:
            at = args.index("--")
            before, mark, after = args[:at], "--", args[at + 1 :]
        rest = super().parse_args(ctx, before)
        ctx.params["words"] = tuple(after) if mark else None
        return rest


class Manner(Struct, frozen=True):
    """How to run it: what the options say that are not about the job."""

    settings: Settings
    detach: bool
    quiet: bool
    output: str | None


@click.command("run", cls=_Run)
@click.argument("files", nargs=-1, metavar="[FILE | -- PROGRAM [ARGUMENT]...]")
@click.option("--name", default="", help="The job's name, rather than the file's or program's.")
@click.option("--namespace", default="", metavar="NAMESPACE", help="Rather than the file's.")
@job_options
@click.option("--mpi", default="", metavar="MPI", help="openmpi, mpich, intel, or a path to one.")
@click.option("--oversubscribe", is_flag=True, help="Let pods ask for more than there is.")
@click.option(
    "--pods",
    type=click.Choice(["auto", "namespaces", "plain"]),
    help="Whether pods have namespaces of their own.",
)
@click.option("-d", "--detach", is_flag=True, help="Return as soon as the job is made.")
@click.option("--dry-run", is_flag=True, help="Print the job and run nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what the job says.")
@output_option("yaml", "json", "name")
@where_options
def command(
    *,
    files: Sequence[str],
    words: Sequence[str] | None,
    dry_run: bool,
    output: str | None,
    **options: Any,
) -> int:
    """Run a job file, or a command as a job, on this machine or a cluster.

    FILE is an MPIJob ("-" is standard input). With a PROGRAM there is no file: each of the workers
    gets its slots, and mpirun starts a rank of PROGRAM in every slot.

    In the foreground the launcher's output goes to stdout, and the launcher's exit code is this
    command's; everything else goes to stderr. Ctrl-C ends the job with all of its processes; on a
    cluster that means that the job is deleted.

    On this machine images are not pulled: commands run as they are found here, relative paths
    count from the job file's folder.
    """
    where = meant()
    wish = Wish(
        files=files,
        words=words,
        name=options["name"],
        namespace=options["namespace"] or where.namespace,
        home=where.home(),
        mpi=options["mpi"],
        flags=options,
    )
    wanted = submission(wish)
    sound(wanted.file)
    if not options["quiet"]:
        click.echo(lines(warnings(wanted.file), colour=sys.stderr.isatty()), err=True, nl=False)
    if dry_run:
        click.echo(_shown(wanted.manifest, output), nl=False)
        return exits.OK
    if where.is_cluster:
        _fit_for_cluster(options, wanted.file.manifest)
    settings = Settings(
        folder=str(wanted.folder),
        environment=inherited(os.environ),
        oversubscribe=options["oversubscribe"],
        mpi=options["mpi"],
        pods=options["pods"] or "",
    )
    manner = Manner(settings, options["detach"], options["quiet"], output)
    return within(lambda world: run_job(world, wanted, manner))


async def run_job(world: World, wanted: Submission, manner: Manner) -> int:
    """Make the job and stay with it, or hand it on."""
    if not manner.detach:
        world.warm(manner.settings)
    manifest = await _placed(world, wanted, manner)
    if world.is_here and not manner.quiet:
        _tell_of_images(manifest)
    try:
        if manner.detach:
            stored = await world.detach(manifest, manner.settings)
            click.echo(_shown(stored, manner.output, said=" created"), nl=False)
            return exits.OK
        stored, running = await world.start(manifest, manner.settings)
    except (Forbidden, Unknown):
        raise
    except Refused as refusal:
        raise Trouble(f"{wanted.file.name}: {refusal}", code=exits.INVALID) from None
    if not (world.is_here or manner.quiet):
        note(f"{resource_name(stored)} created in namespace {key_of(stored)[0]}")
    foreground = Foreground(
        world,
        running,
        Key(*key_of(stored)),
        watching(quiet=manner.quiet),
        talkative=sys.stderr.isatty() and not manner.quiet,
    )
    return await foreground.run()


async def _placed(world: World, wanted: Submission, manner: Manner) -> Manifest:
    """Return the manifest under a name that is free.

    On this machine a namesake that has finished gives way. On a cluster it may be somebody else's:
    it stays.

    Raises:
        Trouble: A job of that name is in the way.

    """
    manifest = wanted.file.manifest
    namespace, name = key_of(manifest)
    only = "" if wanted.numbered else name
    jobs = {key_of(job)[1]: job for job in await world.listed(Kind.MPI_JOB, Scope(namespace, only))}
    done = {name for name, job in jobs.items() if finished(versions.decode(job))}
    busy = frozenset(jobs.keys() - done if world.is_here else jobs)
    if wanted.numbered:
        name = free_name(name, busy)
        manifest = renamed(manifest, name=name)
    namesake = jobs.get(name)
    if namesake is None:
        return manifest
    if name in busy:
        raise Trouble(
            f"there is a job “{name}” already, and it is {state(versions.decode(namesake))}",
            hint=f"mpijob delete {name}, or run this one under another --name",
            code=exits.CONFLICT,
        )
    await world.objects.delete(ref_of(namesake), uid=uid_of(namesake))
    await world.attend(Key(namespace, name))
    if not manner.quiet and not wanted.numbered and sys.stderr.isatty():
        note(f"the finished job {name} makes room for this one")
    return manifest


def _fit_for_cluster(options: Mapping[str, Any], job: Manifest) -> None:
    """Raise Trouble for what a cluster cannot make sense of."""
    for name in ("oversubscribe", "pods"):
        if options[name]:
            raise Trouble(f"--{name} is about jobs on this machine", code=exits.INVALID)
    if not images_of(job):
        raise Trouble(
            "on a cluster the job needs an image",
            hint="one that has the program and its MPI: --image REGISTRY/NAME:TAG",
            code=exits.INVALID,
        )


def _tell_of_images(manifest: Manifest) -> None:
    """Say that images are only names here, once, where the job names any."""
    images = images_of(manifest)
    if images:
        verb = "is" if len(images) == 1 else "are"
        note(f"{', '.join(images)} {verb} not pulled: the commands run on this machine")


def _shown(manifest: Manifest, output: str | None, said: str = "") -> str:
    """Return a job as `-o` asks for it: YAML, or its name with what happened to it."""
    if output == "name" or (output is None and said):
        return f"{resource_name(manifest)}{'' if output else said}\n"
    return written(manifest, output or "yaml")
