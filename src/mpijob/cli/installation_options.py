"""What a person may choose of an installation, as options."""

import functools
from collections.abc import Callable
from typing import Any

import click
from msgspec.structs import fields

from mpijob.api.crd import SERVED, UNDERSTOOD
from mpijob.generate.settings import IMAGE, KUBECTL_DELIVERY_IMAGE, NAMESPACE, Installation

_OPTIONS = (
    click.option(
        "--namespace",
        default=NAMESPACE,
        show_default=True,
        metavar="NAMESPACE",
        help="Where the operator lives. It is made where it is missing.",
    ),
    click.option(
        "--watch-namespace",
        "watched",
        default="",
        metavar="NAMESPACE",
        help="Look after the jobs of this namespace alone, with rights there alone.",
    ),
    click.option(
        "--serve",
        "served",
        multiple=True,
        type=click.Choice(UNDERSTOOD),
        default=SERVED,
        show_default=True,
        help="A version of MPIJob that the API server is to serve; may be repeated.",
    ),
    click.option("--image", default=IMAGE, show_default=True, help="The operator's image."),
    click.option(
        "--kubectl-delivery-image",
        default=KUBECTL_DELIVERY_IMAGE,
        show_default=True,
        metavar="IMAGE",
        help="Brings kubectl to launchers that start ranks by exec. Empty: none may, and the "
        "operator has no rights for it.",
    ),
    click.option(
        "--replicas",
        type=click.IntRange(1, 9),
        default=2,
        show_default=True,
        help="How many operators stand ready; one of them acts.",
    ),
    click.option(
        "--gang-scheduling",
        "gang",
        default="",
        metavar="SCHEDULER",
        help="“volcano”, or the name of a scheduler with the scheduler-plugins' co-scheduling.",
    ),
    click.option("--cluster-domain", default="", metavar="DOMAIN", help="For names in host files."),
    click.option(
        "--network-policy/--no-network-policy",
        "network_policies",
        default=True,
        show_default=True,
        help="Say who may reach the operator and, with --watch-namespace, the pods of jobs.",
    ),
)


def installation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an installation; it takes them as `chosen`."""
    names = {field.name for field in fields(Installation)}

    @functools.wraps(command)
    def whole(**flags: Any) -> Any:
        told = {name: flags.pop(name) for name in names & flags.keys()}
        return command(chosen=Installation(**told), **flags)

    for option in reversed(_OPTIONS):
        whole = option(whole)
    return whole
