"""The options that make a job without a file, shared by `run` and `init`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from mpijob.api.new_job import NewJob

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: The families of MPI, and the value of `spec.mpiImplementation` that each stands for.
FLAVOURS = {"openmpi": "OpenMPI", "mpich": "MPICH", "intel": "Intel"}

_QUANTITY = re.compile(r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_VARIABLE = re.compile(r"^[-._A-Za-z][-._A-Za-z0-9]*$")


def _quantity(_: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return a Kubernetes quantity. Raises BadParameter where `text` is none."""
    if text and not _QUANTITY.match(text):
        example = "2 or 500m" if parameter.name == "cpus" else "4Gi or 500M"
        raise click.BadParameter(f"“{text}” is no quantity, such as {example}")
    return text


def _variables(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    """Return variables by name. Raises BadParameter where one is not NAME=VALUE."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not _VARIABLE.match(name):
            raise click.BadParameter(f"“{text}” is not NAME=VALUE")
        found[name] = value
    return found


_COUNT = click.IntRange(min=1)
_OPTIONS = (
    click.option("-n", "--workers", type=_COUNT, metavar="COUNT", help="Workers: mpirun's hosts."),
    click.option("--slots", type=_COUNT, metavar="COUNT", help="Ranks a worker takes."),
    click.option("--gpus", type=click.IntRange(min=0), metavar="COUNT", help="GPUs a worker."),
    click.option(
        "--cpus", default="", callback=_quantity, metavar="QUANTITY", help="CPUs a worker."
    ),
    click.option(
        "--memory", default="", callback=_quantity, metavar="QUANTITY", help="Memory a worker."
    ),
    click.option("--image", default="", help="The container image, for a cluster."),
    click.option(
        "-e",
        "--env",
        multiple=True,
        callback=_variables,
        metavar="NAME=VALUE",
        help="A variable for every rank; may be given again.",
    ),
)
#: The names of these options, as a command's function is given them.
NAMES = ("workers", "slots", "gpus", "cpus", "memory", "image", "env")


def job_options(command: _Command) -> _Command:
    """Decorate a command with the options that make a job."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(flags: Mapping[str, Any]) -> list[str]:
    """Return those of these options that a person has given, as they are typed."""
    return [f"--{name}" for name in NAMES if flags[name]]


def new_job(words: Sequence[str], name: str, flavour: str, flags: Mapping[str, Any]) -> NewJob:
    """Return the job that a command and the options of `job_options` make, defaults filled in."""
    return NewJob(
        name=name,
        command=tuple(words),
        worker_count=flags["workers"] or 1,
        slots=flags["slots"] or 1,
        gpus=flags["gpus"] or 0,
        cpus=flags["cpus"],
        memory=flags["memory"],
        image=flags["image"],
        flavour=flavour,
        env=flags["env"],
    )
