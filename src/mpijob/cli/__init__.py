"""The command line: a face without judgement. One command, one module, loaded when it is called."""


def main() -> None:
    """Run the command that the process was started with, and exit as `exits` says."""
    from mpijob.cli.root import cli

    cli.main(prog_name="mpijob")


def kubectl() -> None:
    """Run the command as kubectl's plugin: about the cluster of kubectl's current context."""
    from mpijob.cli.root import cli
    from mpijob.cli.where import Where

    cli.main(prog_name="kubectl mpijob", obj=Where(is_cluster=True))
