"""`mpijob` itself: the group that loads a sub-command when it is called."""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from mpijob.cli import exits
from mpijob.cli.output import forget_stdout
from mpijob.cli.trouble import Trouble, defect, translated, wants_traceback
from mpijob.cli.where import global_options

#: The commands under the headings of the help: the module that is loaded for each, and its summary,
#: which is the first line of the command's own help. So the list of commands loads none of them.
SECTIONS = {
    "Run": {
        "mpijob.cli.run": "Run a job file, or a command as a job, on this machine or a cluster.",
        "mpijob.cli.init": "Write a commented job file to begin with.",
        "mpijob.cli.lint": "Explain what is wrong or odd in job files.",
        "mpijob.cli.convert": "Print the job in FILE as a job file of another version.",
        "mpijob.cli.plan": "Print what the operator would create for a job, and create nothing.",
    },
    "Generate": {
        "mpijob.cli.generate": "Print the objects that PROTOTYPE makes under a NAME.",
        "mpijob.cli.prototype": "List and describe what `mpijob generate` can make.",
        "mpijob.cli.image": "Write a Containerfile for the project in a folder.",
        "mpijob.cli.keys": "Make the Secret by which hosts of Open MPI let each other in.",
        "mpijob.cli.ks": "Type the commands of old documents: ksonnet's, as far as they need them.",
    },
    "Look": {
        "mpijob.cli.get": "List jobs, or those named NAME.",
        "mpijob.cli.describe": "Tell all about a job: its pods, conditions and events.",
        "mpijob.cli.logs": "Print what a job's launcher or its workers have written.",
        "mpijob.cli.events": "List what happened to jobs, the oldest first.",
        "mpijob.cli.why": "Say why a job is not running: the likeliest cause first.",
        "mpijob.cli.wait": "Wait until jobs are as --for says.",
    },
    "Change": {
        "mpijob.cli.suspend": "Stop jobs for now: their pods go, the jobs stay.",
        "mpijob.cli.resume": "Start suspended jobs again.",
        "mpijob.cli.scale": "Give a job another number of workers.",
        "mpijob.cli.delete": "Stop jobs and remove them with all that they made.",
    },
    "A cluster": {
        "mpijob.cli.install": "Put the operator into a cluster, or bring the one that is there to "
        "this version.",
        "mpijob.cli.uninstall": "Take the operator out of a cluster.",
        "mpijob.cli.migrate": "Show which versions of MPIJob a cluster has, and what is said in "
        "older ones alone.",
        "mpijob.cli.operator": "Look after the MPIJobs of a cluster, until told to stop.",
    },
    "This machine": {
        "mpijob.cli.doctor": "Say what this machine, or a cluster, can run, and what to do about "
        "what it cannot.",
        "mpijob.cli.version": "Print the version of mpijob, of the job API and of Python.",
        "mpijob.cli.completion": "Print the script that completes mpijob's words in a shell.",
    },
    "The operator": {
        "mpijob.cli.sim": "Play histories of simulated clusters, and say which of them go wrong.",
    },
}
#: The module of every command, and its summary, by the command's name.
COMMANDS = {
    module.rpartition(".")[2]: (module, summary)
    for modules in SECTIONS.values()
    for module, summary in modules.items()
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
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
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

    def format_commands(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands under their headings, each with the first line of its help."""
        for heading, modules in SECTIONS.items():
            rows = [(module.rpartition(".")[2], summary) for module, summary in modules.items()]
            with formatter.section(heading):
                formatter.write_dl(rows, col_spacing=3)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin as what was typed, or this group's own options."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

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
            forget_stdout()
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


_HELP = """MPI jobs for everyone: one job file for this machine and for a cluster.

\b
  mpijob run job.yaml                           run a job file here
  mpijob run -n 2 --slots 2 -- python train.py  run a command as a job, without one
  mpijob why pi                                 say why a job is not running
"""


@click.group(
    cls=Root,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 no such job, 4 conflict, 124 timed out, "
    "130 interrupted; `run` returns the launcher's own.",
)
@global_options
def cli() -> None:
    """Run MPI jobs: the same job file on this machine and on a Kubernetes cluster."""
