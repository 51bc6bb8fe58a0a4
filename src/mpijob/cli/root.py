"""`mpijob` itself: the group that loads a sub-command when it is called."""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble, defect, translated, wants_traceback

#: The commands under the headings of the help, each by the module that is loaded for it.
SECTIONS = {
    "Run": (
        "mpijob.cli.run",
        "mpijob.cli.init",
        "mpijob.cli.lint",
        "mpijob.cli.plan",
    ),
    "Look": (
        "mpijob.cli.get",
        "mpijob.cli.describe",
        "mpijob.cli.logs",
        "mpijob.cli.events",
        "mpijob.cli.why",
        "mpijob.cli.wait",
    ),
    "Change": (
        "mpijob.cli.suspend",
        "mpijob.cli.resume",
        "mpijob.cli.scale",
        "mpijob.cli.delete",
    ),
    "This machine": (
        "mpijob.cli.doctor",
        "mpijob.cli.version",
        "mpijob.cli.completion",
    ),
}
#: The module of every command, by the command's name.
COMMANDS = {
    module.rpartition(".")[2]: module for modules in SECTIONS.values() for module in modules
}


class Root(click.Group):
    """A group whose commands are modules, imported one at a time; it turns errors into words."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Return the command of that name, loading its module, or None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with; say which one was meant where none is."""
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = get_close_matches(name, COMMANDS, n=1)
        if meant:
            hint = f"did you mean `mpijob {meant[0]}`?"
        elif os.path.exists(name):
            hint = f"to run it: `mpijob run {name}`"
        else:
            hint = "`mpijob --help` lists the commands"
        raise Trouble(f"there is no command “{name}”", hint=hint, code=exits.INVALID)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, each with the first line of its help."""
        for heading, modules in SECTIONS.items():
            names = (module.rpartition(".")[2] for module in modules)
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, command.get_short_help_str(70)) for name, command in commands if command]
            with formatter.section(heading):
                formatter.write_dl(rows, col_spacing=3)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001  # The signature is click's.
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its code; every way to fail ends in words, not a traceback.

        A command returns its exit code, or None for 0.
        """
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, **extra) or exits.OK
            # What is still buffered must meet a closed pipe here, not in the interpreter's end.
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            code = exits.INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has seen enough (`mpijob logs pi | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = exits.OK
        except Exception as error:  # noqa: BLE001  # The last net: nothing else may show a traceback.
            code = _told(error)
        sys.exit(code)


def _told(error: Exception) -> int:
    """Say what an exception means to a person, and return the exit code."""
    if wants_traceback():
        import traceback

        traceback.print_exception(error)
    trouble = translated(error) or defect(error)
    trouble.show()
    return trouble.exit_code


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 no such job, 4 conflict, 124 timed out, "
    "130 interrupted; `run` returns the launcher's own.",
)
def cli() -> None:
    r"""MPI jobs for everyone: the same job file on this machine and on a Kubernetes cluster.

    \b
      mpijob run job.yaml                             run a job file here
      mpijob run -n 2 --slots 2 -- python train.py    run a command as a job, without a file
      mpijob why pi                                   say why a job is not running
    """
