#!/usr/bin/env python3
"""Prints docs/reference/cli.md: every command's own help, and the exit codes."""

import click

from mpijob.cli import exits
from mpijob.cli.root import SECTIONS, cli

_WIDTH = 92

_HEAD = """\
# The command line

Written by `tools/cli_reference.py` from the commands' own help; a test compares the two.

On a terminal output is for people, with colours and progress. In a pipe it is for programs: no
colours, columns that stay, and `-o json` or `-o yaml` wherever there is output. What a job's
launcher writes goes to stdout as it is; all that mpijob says while a job runs goes to stderr.

`-n` is the namespace, as in kubectl, but in `run` and `init`, where it is the number of workers and
`--namespace` has no short form.
"""

_EXITS = """\
## Exit codes

`mpijob run` in the foreground returns the launcher's own exit code. For all else:
"""

_FILES = """\
## Environment

| variable | |
|---|---|
| `MPIJOB_HOME` | what remembers the jobs, instead of `~/.local/state/mpijob` |
| `MPIJOB_MPI_PATH` | where to look for MPIs first: prefixes or their `bin`, separated by colons |
| `MPIJOB_LOCAL_PODS` | `namespaces`, `plain`, or `auto`, which tries the first |
| `MPIJOB_GPUS` | how many GPUs there are, or their names, instead of what the driver says |
| `MPIJOB_TRACEBACK` | anything but 0 shows where a defect of mpijob came up |
"""


def _help(name: str) -> str:
    """Return the help of one command as it prints it on a terminal of that width."""
    parent = cli.make_context("mpijob", [], resilient_parsing=True)
    command = cli.get_command(parent, name)
    if command is None:
        raise KeyError(name)
    context = click.Context(command, parent, name, terminal_width=_WIDTH)
    return command.get_help(context)


def reference() -> str:
    """Return the page."""
    parts = [_HEAD]
    for heading, modules in SECTIONS.items():
        parts.append(f"## {heading}\n")
        for module in modules:
            name = module.rpartition(".")[2]
            parts.append(f"### mpijob {name}\n\n```text\n{_help(name)}\n```\n")
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in exits.MEANINGS.items())
    parts.append(f"{_EXITS}\n| code | |\n|---|---|\n{rows}")
    parts.append(_FILES)
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
