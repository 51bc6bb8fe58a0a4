"""`mpijob generate`: objects from a prototype and its parameters, printed, written or applied."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mpijob.api.versions import KIND
from mpijob.cli import exits
from mpijob.cli.applying import apply_all, until_done, warn_of_rivals
from mpijob.cli.options import namespace_option
from mpijob.cli.output import listed_as, output_option, written
from mpijob.cli.parameter_input import assigned, prototype_called, told_of
from mpijob.cli.periods import Period
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import meant
from mpijob.core.job import Manifest
from mpijob.core.version import Version
from mpijob.generate.prototype import Setting

if TYPE_CHECKING:
    from mpijob.kube.client import Client


@click.command("generate")
@click.argument("prototype")
@click.argument("name")
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; may be given again. `mpijob prototype describe` tells of them.",
)
@click.option(
    "--api-version",
    "version",
    type=click.Choice([version.value for version in Version]),
    default=Version.V2BETA1.value,
    show_default=True,
    help="The version to write MPIJobs in.",
)
@click.option(
    "--output-dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file an object into this folder, in their order.",
)
@click.option("--apply", "applies", is_flag=True, help="Make the objects, here or on a cluster.")
@click.option(
    "--wait",
    is_flag=True,
    help="With --apply: return when what runs is ready, and what ends has ended.",
)
@click.option(
    "--timeout", type=Period(), metavar="PERIOD", help="Wait no longer than 90s, 5m, 1h30m."
)
@output_option("yaml", "json", "name")
@namespace_option
def command(
    *,
    prototype: str,
    name: str,
    params: Sequence[str],
    namespace: str,
    version: str,
    **how: Any,
) -> int:
    """Print the objects that PROTOTYPE makes under a NAME.

    PROTOTYPE is a full name, or any ending of it that no other has. With --apply the objects are
    made: on this machine, where they are MPIJobs or pods, or on a cluster.
    """
    wanted = prototype_called(prototype)
    _coherent(how)
    with told_of(wanted):
        given = {**assigned(params), "name": name}
        manifests = wanted.manifests(given, Setting(namespace, Version(version)))
    if how["applies"]:
        return _applied(manifests, wait=how["wait"], timeout_s=how["timeout"])
    output = how["output"] or "yaml"
    if how["folder"] is not None:
        _write(manifests, how["folder"], output)
    else:
        click.echo(listed_as(manifests, output), nl=False)
    return exits.OK


def _coherent(how: Mapping[str, Any]) -> None:
    """Raise UsageError where options do not go together."""
    if how["folder"] and how["output"] == "name":
        raise click.UsageError("-o name is nothing to write into files")
    if how["applies"] and (how["folder"] or how["output"]):
        raise click.UsageError("--apply prints and writes no objects: leave out -o or --output-dir")
    if how["wait"] and not how["applies"]:
        raise click.UsageError("--wait goes with --apply")
    if how["timeout"] is not None and not how["wait"]:
        raise click.UsageError("--timeout goes with --wait")


def _write(manifests: Sequence[Manifest], folder: Path, output: str) -> None:
    """Write a file an object, so named that `kubectl apply -f FOLDER` makes them in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, manifest in enumerate(manifests, 1):
        kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
        path = folder / f"{number:02}-{kind}-{name}.{output}"
        path.write_text(written(manifest, output))
        click.echo(f"Wrote {path}", err=True)


def _applied(manifests: Sequence[Manifest], *, wait: bool, timeout_s: float | None) -> int:
    if not meant().is_cluster:
        return _applied_here(manifests, wait=wait, timeout_s=timeout_s)

    async def put(client: "Client") -> int:
        await warn_of_rivals(client, manifests)
        await apply_all(client, manifests)
        return await until_done(client, manifests, timeout_s) if wait else exits.OK

    return meant().run(put)


def _applied_here(manifests: Sequence[Manifest], *, wait: bool, timeout_s: float | None) -> int:
    """Run jobs on this machine, as `mpijob run` does: with `wait`, in the foreground."""
    from mpijob.cli.run import Manner, run_job
    from mpijob.cli.submission import Submission
    from mpijob.cli.world import within
    from mpijob.jobfile import JobFile
    from mpijob.local.settings import Settings, inherited

    kinds = {manifest["kind"] for manifest in manifests}
    if timeout_s is not None:
        raise Trouble(
            "--timeout is about a cluster; here, `mpijob wait` has it", code=exits.INVALID
        )
    if "Pod" in kinds:
        from mpijob.cli.pods_here import applied

        return applied(manifests, wait=wait)
    others = sorted(kinds - {KIND})
    if others:
        raise Trouble(
            f"on this machine there are MPIJobs and pods, and no {', '.join(others)}",
            hint="--cluster makes them on the kubeconfig's cluster",
            code=exits.INVALID,
        )
    settings = Settings(str(Path.cwd()), inherited(os.environ))
    manner = Manner(settings, detach=not wait, quiet=False, output=None)
    code = exits.OK
    for manifest in manifests:
        wanted = Submission(JobFile("command line", manifest), manifest, Path.cwd())
        code = max(code, within(partial(run_job, wanted=wanted, manner=manner)))
    return code
