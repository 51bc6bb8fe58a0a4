"""`mpijob ks`: the commands of ksonnet that old documents type, over a folder of plain files."""

import click

from mpijob.cli.ks import application, components, deploying


@click.group("ks")
def command() -> None:
    """Type the commands of old documents: ksonnet's, as far as they need them.

    An application is a folder with plain files. Packages come with mpijob: nothing is fetched.
    """


for _part in (
    application.init,
    application.env,
    application.registry,
    application.pkg,
    components.prototype,
    components.generate,
    components.param,
    components.component,
    deploying.show,
    deploying.apply,
    deploying.delete,
    application.script,
):
    command.add_command(_part)
