"""The command line: a face without judgement. One command, one module, loaded when it is called."""


def main() -> None:
    """Run the command that the process was started with, and exit as `exits` says."""
    from mpijob.cli.root import cli

    cli.main(prog_name="mpijob")
