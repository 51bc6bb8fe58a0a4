"""The application: a folder with app.yaml, and in components/ a file a component.

app.yaml says which environments there are, and what was installed; a component's file says which
prototype it is of, and what was given of its parameters. Both are there to be read and edited.
A component of a module has its file in a folder of the module's name, and is called MODULE.NAME.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import Struct, field

from mpijob.cli import exits
from mpijob.cli.render.document import as_yaml
from mpijob.cli.trouble import Trouble

FILE = "app.yaml"
COMPONENTS = "components"
DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", re.ASCII)

_Shape = TypeVar("_Shape")


class Environment(Struct):
    """Where components go, and what is otherwise there.

    Args:
        namespace: Of all that has one.
        context: Of the kubeconfig, "" for the current one.
        parameters: What counts here in place of what the components' files say, by component.

    """

    namespace: str = DEFAULT
    context: str = ""
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)


class App(Struct):
    """What app.yaml says.

    Args:
        name: What it is called.
        environments: By name.
        registries: Where packages come from, by name: kept, and never asked.
        packages: The versions of what was installed, by REGISTRY/NAME.

    """

    name: str
    environments: dict[str, Environment] = field(default_factory=dict)
    registries: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)


class Component(Struct):
    """What a component's file says: the full name of its prototype, and parameters as given."""

    prototype: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Folder(Struct, frozen=True):
    """The folder that an application is kept in."""

    path: Path

    @property
    def components(self) -> list[str]:
        """The names of the components, in their order."""
        root = self.path / COMPONENTS
        return sorted(_called(path, root) for path in root.rglob("*.yaml"))

    def app(self) -> App:
        """Return what app.yaml says. Raises Trouble where it cannot be understood."""
        return _read(self.path / FILE, App)

    def write_app(self, app: App) -> None:
        """Write app.yaml anew. Raises Trouble where that cannot be; it stays as it was then."""
        written = msgspec.to_builtins(app)
        for place in written["environments"].values():
            if not place["parameters"]:
                del place["parameters"]
        _write(self.path / FILE, written)

    def environment(self, name: str) -> Environment:
        """Return an environment. Raises Trouble where there is none of that name."""
        environments = self.app().environments
        if name not in environments:
            raise Trouble(
                f"there is no environment “{name}”",
                hint=_those(environments, "`mpijob ks env add NAME` makes one"),
                code=exits.INVALID,
            )
        return environments[name]

    def file(self, component: str) -> Path:
        """Return where a component's file is, or would be."""
        root = self.path / COMPONENTS
        there = (path for path in root.rglob("*.yaml") if _called(path, root) == component)
        return next(there, root / f"{component}.yaml")

    def new_file(self, name: str, module: str) -> Path:
        """Return where the file of a new component will be; the module is "" for none.

        Raises:
            Trouble: A name is none here, or there is such a component.

        """
        check_name(name)
        if module:
            check_name(module)
        path = self.path.joinpath(COMPONENTS, *module.split("."), f"{name}.yaml")
        known = f"{module}.{name}" if module else name
        if known in self.components:
            raise Trouble(
                f"there is a component “{known}” already",
                hint=f"`mpijob ks param set {known} PARAMETER VALUE` changes it, or delete its "
                f"file {self.file(known)}",
                code=exits.CONFLICT,
            )
        return path

    def component(self, name: str) -> Component:
        """Return a component. Raises Trouble where there is none, or its file is wrong."""
        if name not in self.components:
            raise Trouble(
                f"there is no component “{name}”",
                hint=_those(self.components, "`mpijob ks generate PROTOTYPE NAME` makes one"),
                code=exits.INVALID,
            )
        return _read(self.file(name), Component)

    def component_in(self, name: str, place: Environment) -> Component:
        """Return a component as an environment has it. Raises Trouble as `component` does."""
        found = self.component(name)
        return Component(found.prototype, {**found.parameters, **place.parameters.get(name, {})})


def write_component(path: Path, component: Component) -> None:
    """Write a component's file, anew where there is one. Raises Trouble as `write_app` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, msgspec.to_builtins(component))


def _write(path: Path, written: Any) -> None:
    """Write a file whole or not at all: what people have edited is nowhere else."""
    path = path.resolve()
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(new, "w", encoding="utf-8") as file:
            file.write(as_yaml(written))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    except OSError as failure:
        new.unlink(missing_ok=True)
        told = f"{path} cannot be written, and is as it was: {failure.strerror}"
        raise Trouble(told) from failure


def new(path: Path, environment: str, place: Environment) -> Folder:
    """Make an application in a new folder, with one environment, and return it.

    Raises:
        Trouble: There is something at that path, or its name is none for an application.

    """
    check_name(path.name)
    if path.exists():
        hint = f"go into it with `cd {path}`, or give another name"
        raise Trouble(f"{path} is there already", hint=hint, code=exits.CONFLICT)
    (path / COMPONENTS).mkdir(parents=True)
    folder = Folder(path)
    folder.write_app(App(path.name, {environment: place}))
    return folder


def check_name(name: str) -> None:
    """Raise Trouble where nothing of an application can be called so: it would name no file."""
    if not _NAME.fullmatch(name):
        hint = "small letters, digits, dashes and dots"
        raise Trouble(f"“{name}” is no name here", hint=hint, code=exits.INVALID)


def here() -> Folder:
    """Return the application that we are in. Raises Trouble where that is none."""
    start = Path.cwd()
    for path in (start, *start.parents):
        if (path / FILE).is_file():
            return Folder(path)
    raise Trouble(
        f"{start} is in no application: neither it nor a folder above has an {FILE}",
        hint="`mpijob ks init NAME` makes one; then `cd NAME`",
        code=exits.INVALID,
    )


def _called(path: Path, root: Path) -> str:
    """Return what the component is called that has its file there."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def _read(path: Path, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(yaml.safe_load(path.read_text()), shape)
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        told = " ".join(str(wrong).split())
        hint = "mend it, or make it anew"
        raise Trouble(f"{path}: {told}", hint=hint, code=exits.INVALID) from None


def _those(names: "dict[str, Environment] | list[str]", otherwise: str) -> str:
    return f"those known: {', '.join(names)}" if names else otherwise
