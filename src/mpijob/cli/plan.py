"""`mpijob plan`: say what the operator would do, and do none of it."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from msgspec.structs import replace

from mpijob.api.manifest import as_list, resource_name
from mpijob.cli import exits
from mpijob.cli.job_input import placed, read, sound
from mpijob.cli.output import output_option, written
from mpijob.cli.render.table import table
from mpijob.core import names, options
from mpijob.core.config import Config, Gang
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.observed import Observed, PodPhase, PodView
from mpijob.core.plan import Create, Kind, MintSecret, Plan
from mpijob.core.reconcile import reconcile
from mpijob.generate.settings import KUBECTL_DELIVERY_IMAGE

_COLUMNS = ("STAGE", "KIND", "NAME", "NOTE")
#: Stands for the uid that a cluster would give the job.
_NO_UID = "00000000-0000-0000-0000-000000000000"
#: No part of a fresh job's plan hangs on what time it is.
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@click.command("plan")
@click.argument("file", metavar="FILE")
@click.option("--namespace", default="", metavar="NAMESPACE", help="Rather than the file's.")
@click.option(
    "--gang", type=click.Choice([gang.value for gang in Gang]), help="With gang scheduling."
)
@click.option("--cluster-domain", default="", metavar="DOMAIN", help="For names in the hostfile.")
@output_option("table", "yaml", "json", "name")
def command(
    *, file: str, namespace: str, gang: str | None, cluster_domain: str, output: str | None
) -> int:
    """Print what the operator would create for a job, and create nothing.

    Reads the job in FILE ("-" is standard input) and asks nobody: neither a cluster nor this
    machine. Objects of one stage are made together, and a stage after the one before it. Keys are
    drawn when Secrets are made, so they are not shown.
    """
    job = sound(placed(read(file), namespace=namespace))
    # Before anything is created, the version that the job was written in is on record.
    noted = {**job.identity.annotations, options.WRITTEN_IN: job.identity.written_in.value}
    job = replace(job, identity=replace(job.identity, uid=_NO_UID, annotations=noted))
    config = Config(
        cluster_domain=cluster_domain,
        gang=Gang(gang) if gang else None,
        kubectl_delivery_image=KUBECTL_DELIVERY_IMAGE,
    )
    steps = list(_creations(job, config))
    match output:
        case "yaml" | "json":
            document = as_list([manifest for _, manifest, _ in steps])
            click.echo(written(document, output), nl=False)
        case "name":
            click.echo(
                "".join(f"{resource_name(manifest)}\n" for _, manifest, _ in steps), nl=False
            )
        case _:
            rows = [_row(*step) for step in steps]
            click.echo(table(_COLUMNS, rows, colour=sys.stdout.isatty()), nl=False)
            if not rows:
                click.echo("The operator would leave this job to another.", err=True)
    return exits.OK


def _creations(job: MPIJob, config: Config) -> Iterator[tuple[int, Manifest, str]]:
    """Yield what is created for a new job: the stage (from 1), the object, and a note."""
    first = _stages(reconcile(Observed(job), _SOME_TIME, config))
    for number, stage in enumerate(first, 1):
        for step in stage:
            yield number, step.manifest, _note(step)
    if first and not any(step.ref.kind is Kind.JOB for stage in first for step in stage):
        later = _stages(reconcile(_all_ready(job), _SOME_TIME, config))
        for step in (step for stage in later for step in stage if step.ref.kind is Kind.JOB):
            yield len(first) + 1, step.manifest, "when every worker is ready"


def _stages(plan: Plan) -> list[list[Create | MintSecret]]:
    """Return the creations of a plan, stage by stage."""
    stages = ([s for s in stage if isinstance(s, Create | MintSecret)] for stage in plan.stages)
    return [stage for stage in stages if stage]


def _all_ready(job: MPIJob) -> Observed:
    """Return the job's world in which every worker runs and is ready."""
    workers = tuple(
        PodView(
            names.worker(job.name, index), f"{index}", job.uid, "1", PodPhase.RUNNING, ready=True
        )
        for index in range(job.worker_count)
    )
    return Observed(job, workers=workers)


def _note(step: Create | MintSecret) -> str:
    """Return what to know of one creation besides its kind and name."""
    if isinstance(step, MintSecret):
        return "keys are drawn"
    if step.ref.kind is Kind.JOB and step.manifest["spec"].get("suspend"):
        return "suspended"
    return ""


def _row(stage: int, manifest: Manifest, note: str) -> dict[str, str]:
    """Return the line of one object."""
    name = resource_name(manifest).partition("/")[2]
    return {"STAGE": str(stage), "KIND": manifest["kind"], "NAME": name, "NOTE": note}
