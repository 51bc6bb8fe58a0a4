#!/usr/bin/env python3
"""Prints docs/reference/cli.md: every command's own help, and the exit codes."""

from collections.abc import Iterator

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

## This machine, or a cluster

Commands are about the jobs of this machine, unless you say otherwise, whether there is a
kubeconfig or not. They are about a cluster with `--cluster` (the current context's), `--context
NAME` or `--kubeconfig FILE`, where `MPIJOB_CLUSTER=1` is set, and as `kubectl mpijob`, which
kubectl knows as soon as mpijob is installed. These options, and `-n`, may stand before the
command or after it:

    mpijob --context prod get
    mpijob get --context prod
    kubectl mpijob -n team run job.yaml

The namespace is the one that is said, else the file's, else the context's.

`mpijob run` on a cluster makes the job, shows how it comes along, passes on what the launcher
writes, and exits with the launcher's code. Ctrl-C (SIGINT), SIGTERM and a reader of stdout that
leaves end the job, as they do on one machine: it is deleted. A second Ctrl-C leaves at once.
Where the terminal is closed (SIGHUP) the job goes on: `mpijob logs -f NAME` takes up its output.
`run --detach` makes a job that nobody has to wait for. A job that has ended keeps its name until
it is deleted.

What is asked of the API server is asked once a kind, narrowed to the namespace or the job. It
takes the rights of Kubernetes' own role `view` to look, and those of `edit` to run and to change.
"""

_EXITS = """\
## Exit codes

`mpijob run` in the foreground returns the launcher's own exit code. For all else:
"""

_FILES = """\
## Environment

| variable | |
|---|---|
| `MPIJOB_CLUSTER` | anything but 0: commands are about the kubeconfig's cluster |
| `MPIJOB_HOME` | what remembers the jobs, instead of `~/.local/state/mpijob` |
| `MPIJOB_MPI_PATH` | where to look for MPIs first: prefixes or their `bin`, separated by colons |
| `MPIJOB_LOCAL_PODS` | `namespaces`, `plain`, or `auto`, which tries the first |
| `MPIJOB_GPUS` | how many GPUs there are, or their names, instead of what the driver says |
| `MPIJOB_TRACEBACK` | anything but 0 shows where a defect of mpijob came up |
"""


def _helps(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    """Yield a command's help as it prints it on a terminal of that width, and its commands'."""
    context = click.Context(command, parent, name, terminal_width=_WIDTH)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _helps(command.commands[inner], context, inner)


def _help(name: str) -> str:
    """Return the help of one command, and of those that it is made of."""
    parent = cli.make_context("mpijob", [], resilient_parsing=True)
    command = cli.get_command(parent, name)
    if command is None:
        raise KeyError(name)
    return "\n\n".join(_helps(command, parent, name))


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
