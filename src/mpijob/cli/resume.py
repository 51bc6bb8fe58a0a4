"""`mpijob resume`: start suspended jobs again."""

from collections.abc import Sequence

import click

from mpijob.cli.change import changed
from mpijob.cli.options import all_option, names_argument, namespace_option


@click.command("resume")
@names_argument
@namespace_option
@all_option
def command(*, names: Sequence[str], namespace: str, every: bool) -> int:
    """Start suspended jobs again."""
    fields = {"spec": {"runPolicy": {"suspend": False}}}
    return changed(names, namespace, fields, "resumed", every=every)
