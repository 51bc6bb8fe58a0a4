"""What an application is told of itself: its environments, registries and packages."""

import os
from pathlib import Path

import click

from mpijob.cli import exits
from mpijob.cli.ks import app as apps
from mpijob.cli.ks import packages
from mpijob.cli.ks.app import Environment
from mpijob.cli.render.table import table
from mpijob.cli.trouble import Trouble
from mpijob.generate.prototypes import PACKAGES

_SCRIPT = """\
#!/bin/sh
# Made by `mpijob ks script`: the commands of ksonnet, as far as mpijob has them.
exec mpijob ks "$@"
"""


@click.command("init")
@click.argument("name")
@click.option("--dir", "path", type=click.Path(path_type=Path), help="Another folder than ./NAME.")
@click.option(
    "--env", "first", default=apps.DEFAULT, show_default=True, help="Its first environment."
)
@click.option("--namespace", default=apps.DEFAULT, show_default=True, metavar="NAMESPACE")
@click.option("--context", default="", metavar="NAME", help="Of the kubeconfig; else the current.")
def init(*, name: str, path: Path | None, first: str, namespace: str, context: str) -> int:
    """Make an application in a new folder."""
    folder = apps.new(path or Path(name), first, Environment(namespace, context))
    click.echo(
        f"Made the application {name} in {folder.path}. To go on: cd {folder.path}", err=True
    )
    return exits.OK


@click.group("env")
def env() -> None:
    """Say where components go: a namespace, and a cluster."""


_NAMESPACE = click.option("--namespace", metavar="NAMESPACE", help="Where components go.")
_CONTEXT = click.option(
    "--context", metavar="NAME", help="Of the kubeconfig; empty for the current one."
)


@env.command("set")
@click.argument("name")
@click.option("--name", "new_name", default="", help="Call it otherwise.")
@_NAMESPACE
@_CONTEXT
def _env_set(name: str, new_name: str, namespace: str | None, context: str | None) -> int:
    """Change an environment."""
    folder = apps.here()
    place = folder.environment(name)
    app = folder.app()
    if new_name and new_name != name and new_name in app.environments:
        raise Trouble(f"there is an environment “{new_name}” already", code=exits.CONFLICT)
    changed = Environment(
        place.namespace if namespace is None else namespace or apps.DEFAULT,
        place.context if context is None else context,
        place.parameters,
    )
    app.environments = {
        (new_name or name) if each == name else each: changed if each == name else kept
        for each, kept in app.environments.items()
    }
    folder.write_app(app)
    return exits.OK


@env.command("add")
@click.argument("name")
@_NAMESPACE
@_CONTEXT
def _env_add(name: str, namespace: str | None, context: str | None) -> int:
    """Add an environment."""
    folder = apps.here()
    app = folder.app()
    if name in app.environments:
        hint = f"`mpijob ks env set {name}` changes it"
        raise Trouble(f"there is an environment “{name}” already", hint=hint, code=exits.CONFLICT)
    app.environments[name] = Environment(namespace or apps.DEFAULT, context or "")
    folder.write_app(app)
    return exits.OK


@env.command("rm")
@click.argument("name")
def _env_rm(name: str) -> int:
    """Forget an environment; what it has on a cluster stays."""
    folder = apps.here()
    folder.environment(name)
    app = folder.app()
    del app.environments[name]
    folder.write_app(app)
    return exits.OK


@env.command("list")
def _env_list() -> int:
    """List the environments."""
    rows = [
        {"NAME": name, "NAMESPACE": place.namespace, "CONTEXT": place.context}
        for name, place in apps.here().app().environments.items()
    ]
    click.echo(table(("NAME", "NAMESPACE", "CONTEXT"), rows), nl=False)
    return exits.OK


@click.group("registry")
def registry() -> None:
    """Say where packages come from."""


@registry.command("add")
@click.argument("name")
@click.argument("uri")
def _registry_add(name: str, uri: str) -> int:
    """Note a registry. What it has comes with mpijob; nothing is fetched."""
    folder = apps.here()
    app = folder.app()
    app.registries[name] = packages.registry(uri)
    folder.write_app(app)
    return exits.OK


@registry.command("list")
def _registry_list() -> int:
    """List the registries that were added."""
    rows = [{"NAME": name, "URI": uri} for name, uri in apps.here().app().registries.items()]
    click.echo(table(("NAME", "URI"), rows), nl=False)
    return exits.OK


@click.group("pkg")
def pkg() -> None:
    """Say which packages an application uses."""


@pkg.command("install")
@click.argument("word", metavar="[REGISTRY/]NAME[@VERSION]")
def _pkg_install(word: str) -> int:
    """Note a package. It comes with mpijob, in one version."""
    folder = apps.here()
    app = folder.app()
    found = packages.package(word, app)
    app.packages[str(found)] = found.version
    folder.write_app(app)
    return exits.OK


@pkg.command("list")
def _pkg_list() -> int:
    """List all packages, and whether they were installed."""
    installed = {
        name.rpartition("/")[2]: version for name, version in apps.here().app().packages.items()
    }
    rows = [
        {
            "REGISTRY": packages.REGISTRY,
            "NAME": name,
            "VERSION": installed.get(name, ""),
            "INSTALLED": "*" if name in installed else "",
        }
        for name in PACKAGES
    ]
    click.echo(table(("REGISTRY", "NAME", "VERSION", "INSTALLED"), rows), nl=False)
    return exits.OK


@click.command("script")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite what is called so already.")
def script(folder: Path, *, force: bool) -> int:
    """Put a script named ks into a folder, for documents to be typed as they stand."""
    path = folder / "ks"
    if path.exists() and not force and path.read_bytes() != _SCRIPT.encode():
        raise Trouble(f"{path} is there already", hint="--force overwrites it", code=exits.CONFLICT)
    path.write_text(_SCRIPT)
    path.chmod(0o755)
    words = os.environ.get("PATH", "").split(os.pathsep)
    if str(folder.resolve()) not in words:
        click.echo(f"{folder} is not in your PATH", err=True)
    return exits.OK
