"""`mpijob suspend`: stop jobs for now."""

from collections.abc import Sequence

import click

from mpijob.cli.change import changed
from mpijob.cli.options import all_option, names_argument, namespace_option


@click.command("suspend")
@names_argument
@namespace_option
@all_option
def command(*, names: Sequence[str], namespace: str, every: bool) -> int:
    """Stop jobs for now: their pods go, the jobs stay.

    The time that a job spends suspended does not count for its deadline. `mpijob resume` starts it
    from its beginning; what the program wants to remember of its first run, it must have saved.
    """
    fields = {"spec": {"runPolicy": {"suspend": True}}}
    return changed(names, namespace, fields, "suspended", every=every)
