"""`mpijob version`: the version of this installation."""

import click

import mpijob
from mpijob.cli.output import output_option, written


@click.command("version")
@output_option("json", "yaml")
def command(output: str | None) -> None:
    """Print the version of mpijob, of the job API and of Python."""
    import platform

    facts = {
        "mpijob": mpijob.__version__,
        "api": "kubeflow.org/v2beta1",
        "python": platform.python_version(),
    }
    if output:
        click.echo(written(facts, output), nl=False)
    else:
        click.echo("\n".join(f"{name:<7} {value}" for name, value in facts.items()))
