"""`mpijob completion`: the shell's part of completing words."""

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes mpijob's words in a shell.

    Commands, options and the names of jobs are completed. To have it in every shell:

    \b
      bash   mpijob completion bash > ~/.local/share/bash-completion/completions/mpijob
      zsh    mpijob completion zsh > "${fpath[1]}/_mpijob"
      fish   mpijob completion fish > ~/.config/fish/completions/mpijob.fish
    """  # noqa: D301 (click's mark for text that is not to be filled)
    completes = get_completion_class(shell)
    if completes is None:
        raise click.BadParameter(f"no completion for {shell}", ctx=ctx)
    script = completes(ctx.find_root().command, {}, "mpijob", "_MPIJOB_COMPLETE")
    click.echo(script.source_template % script.source_vars())
