"""Components: made of a prototype and parameters, shown, and changed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from mpijob.cli import exits
from mpijob.cli import prototype as prototypes
from mpijob.cli.ks import app as apps
from mpijob.cli.ks import flags
from mpijob.cli.ks.app import Component, Environment
from mpijob.cli.ks.rendering import checked
from mpijob.cli.parameter_input import prototype_called, told_of
from mpijob.cli.render.table import table
from mpijob.cli.trouble import Trouble
from mpijob.generate.prototype import Prototype, described

#: Flags of `generate` that are no parameters.
_MODULE, _FILE = "module", "values-file"


class _Parameters(click.Command):
    """Leaves every word to the command, whose flags are a prototype's parameters."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take help alone, where it comes first."""
        if args and args[0] in flags.HELP:
            return super().parse_args(ctx, args)
        ctx.params["words"] = tuple(args)
        return args


@click.command("generate", cls=_Parameters)
@click.argument("words", nargs=-1, metavar="PROTOTYPE COMPONENT [--PARAMETER VALUE]...")
def generate(words: Sequence[str]) -> int:
    """Make a component from a prototype and its parameters.

    PROTOTYPE --help tells of its parameters; --values-file FILE gives those that a YAML file has,
    and --module MODULE has the component called MODULE.COMPONENT.
    """
    if not words or words[0].startswith("-"):
        raise click.UsageError("which prototype? It comes first, and then the component's name")
    wanted = prototype_called(words[0])
    known = {_MODULE, _FILE, *(one.name for one in wanted.parameters)}
    read = flags.read(words[1:], known)
    if read.asks_for_help:
        click.echo(described(wanted), nl=False)
        return exits.OK
    module = read.flags.pop(_MODULE, "").strip("/").replace("/", ".")  # ksonnet's root is “/”.
    name, given = _component(read)
    made = _checked(wanted, given)
    path = apps.here().new_file(name, module)
    apps.write_component(path, made)
    click.echo(f"Wrote {path}", err=True)
    return exits.OK


def _component(read: flags.Words) -> tuple[str, dict[str, Any]]:
    """Return the name of a component, and the parameters that the words give."""
    match read.plain:
        case [name]:
            pass
        case []:
            raise click.UsageError("which name shall the component have?")
        case [_, *others]:
            hint = "quote what has spaces; parameters are given as --NAME VALUE"
            raise Trouble(f"what to do with {others[0]}?", hint=hint, code=exits.INVALID)
        case _:
            raise AssertionError(read.plain)
    given = dict(read.flags)
    file = given.pop(_FILE, "")
    parameters = {"name": name, **(_values(Path(file)) if file else {}), **given}
    return name, parameters


def _checked(wanted: Prototype, given: Mapping[str, Any]) -> Component:
    """Return the component of a prototype. Raises Trouble where its parameters make nothing."""
    with told_of(wanted):
        made = Component(wanted.name, wanted.written(given))
    checked(made)
    return made


def _values(path: Path) -> dict[str, Any]:
    """Return the parameters that a file gives. Raises Trouble where it gives none."""
    try:
        found = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise Trouble(f"{path}: {' '.join(str(wrong).split())}", code=exits.INVALID) from None
    if not isinstance(found, dict):
        hint = "one NAME: VALUE a line"
        raise Trouble(f"{path} is no mapping of parameters", hint=hint, code=exits.INVALID)
    return {str(name): value for name, value in found.items()}


@click.group("prototype")
def prototype() -> None:
    """List, describe and use prototypes."""


for _name in ("list", "search", "describe"):
    prototype.add_command(prototypes.command.commands[_name])
prototype.add_command(generate, "use")


@click.group("param")
def param() -> None:
    """Show and change the parameters of components."""


_ENVIRONMENT = click.option(
    "--env", "environment", metavar="ENV", help="As this environment has it, and no other."
)


@param.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("where", metavar="COMPONENT")
@click.argument("name")
@click.argument("value")
@_ENVIRONMENT
def _param_set(where: str, name: str, value: str, environment: str | None) -> int:
    """Give a component's parameter a value."""
    return _changed(where, environment, lambda given: {**given, name: value})


@param.command("delete")
@click.argument("where", metavar="COMPONENT")
@click.argument("name")
@_ENVIRONMENT
def _param_delete(where: str, name: str, environment: str | None) -> int:
    """Take a value back: then that of all environments counts, or the default."""

    def without(given: Mapping[str, Any]) -> dict[str, Any]:
        if name not in given:
            there = f"there is {', '.join(given)}" if given else "nothing is"
            raise Trouble(
                f"the parameter {name} of {where} is not given", hint=there, code=exits.INVALID
            )
        return {key: value for key, value in given.items() if key != name}

    return _changed(where, environment, without)


def _changed(
    where: str, environment: str | None, change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> int:
    """Change what is given of a component's parameters: in its file, or for one environment.

    Raises Trouble where its parameters make nothing then.
    """
    folder = apps.here()
    found = folder.component(where)
    wanted = prototype_called(found.prototype)
    if environment is None:
        apps.write_component(folder.file(where), _checked(wanted, change(found.parameters)))
        return exits.OK
    folder.environment(environment)
    app = folder.app()
    own = app.environments[environment].parameters
    changed = change(own.get(where, {}))
    whole = _checked(wanted, {**found.parameters, **changed}).parameters
    own[where] = {name: whole[name] for name in changed}
    if not changed:
        del own[where]
    folder.write_app(app)
    return exits.OK


@param.command("list")
@click.argument("where", metavar="[COMPONENT]", required=False)
@_ENVIRONMENT
def _param_list(where: str | None, environment: str | None) -> int:
    """List the parameters of a component, or of all: as they were given, else their defaults."""
    folder = apps.here()
    place = folder.environment(environment) if environment else Environment()
    rows = [
        {"COMPONENT": name, "PARAM": parameter, "VALUE": value}
        for name in ([where] if where else folder.components)
        for parameter, value in _shown(folder, name, place)
    ]
    click.echo(table(("COMPONENT", "PARAM", "VALUE"), rows), nl=False)
    return exits.OK


def _shown(folder: apps.Folder, name: str, place: Environment) -> list[tuple[str, str]]:
    found = folder.component_in(name, place)
    wanted = prototype_called(found.prototype)
    with told_of(wanted, str(folder.file(name))):
        values = wanted.values(found.parameters)
    return [
        (key, value if isinstance(value, str) else json.dumps(value))
        for key, value in values.items()
    ]


@click.group("component")
def component() -> None:
    """Look at an application's components."""


@component.command("list")
def _component_list() -> int:
    """List the components."""
    folder = apps.here()
    rows = [
        {"COMPONENT": name, "PROTOTYPE": folder.component(name).prototype}
        for name in folder.components
    ]
    click.echo(table(("COMPONENT", "PROTOTYPE"), rows), nl=False)
    return exits.OK


@component.command("rm")
@click.argument("name", metavar="COMPONENT")
def _component_rm(name: str) -> int:
    """Remove a component from the application; what it made on clusters stays."""
    folder = apps.here()
    folder.component(name)
    app = folder.app()
    for place in app.environments.values():
        place.parameters.pop(name, None)
    folder.write_app(app)
    folder.file(name).unlink()
    return exits.OK
