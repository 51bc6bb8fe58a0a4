"""What a prototype is: a table of parameters, and what their values make; and how one is found.

A prototype has a full name, such as `io.ksonnet.pkg.mpi-job-simple`, and is called by any ending of
it that no other has.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from mpijob.core.job import Manifest
from mpijob.core.validate import dns_label_faults
from mpijob.core.version import Version
from mpijob.generate.parameters import Fault, Parameter, Type, Values, WrongParameters, read

_GAP = " "


class Setting(Struct, frozen=True):
    """Where the objects of a prototype go, and which version of MPIJob its jobs are written in."""

    namespace: str
    version: Version = Version.V2BETA1


class Prototype(Struct, frozen=True):
    """A kind of thing that can be made from parameters.

    Args:
        name: The full name.
        package: The package that has it, as `pkg install` calls it.
        description: What it makes, in a sentence or more.
        parameters: In the order in which they are described. One is `name`: the prefix, or whole
            name, of every object.
        objects: What the values of all parameters make, in an order in which each object finds
            what it needs. It may raise WrongParameters, for values that do not go together.

    """

    name: str
    package: str
    description: str
    parameters: tuple[Parameter, ...]
    objects: Callable[[Values, Setting], Sequence[Manifest]]

    @property
    def short_name(self) -> str:
        """The end of the name, by which it is usually called."""
        return self.name.rpartition(".")[2]

    def values(self, given: Mapping[str, object]) -> Values:
        """Return all parameters, read. Raises WrongParameters where they cannot be used."""
        values = read(self.parameters, given)
        if dns_label_faults(values["name"]):
            raise WrongParameters(_not_a_name(values["name"]))
        return values

    def written(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return parameters as a file has them: what is given, numbers and lists as such.

        Raises WrongParameters where they cannot be used.
        """
        values = self.values(given)
        text = {one.name for one in self.parameters if one.type is Type.STRING}
        return {name: given[name] if name in text else values[name] for name in given}

    def manifests(self, given: Mapping[str, object], setting: Setting) -> list[Manifest]:
        """Return the objects that parameters make. Raises WrongParameters where they make none."""
        return list(self.objects(self.values(given), setting))


def _not_a_name(name: str) -> Fault:
    return Fault(
        "name",
        f"“{name}” is no name for an object",
        "it takes small letters, digits and dashes, at most 63, a letter first, such as my-job",
    )


class NotFound(Exception):
    """No prototype is called so, or several are: the message says which there are."""


def called(name: str, among: Sequence[Prototype]) -> Prototype:
    """Return the prototype of that full name, or the only one whose full name ends so.

    Raises:
        NotFound: There is none, or more than one.

    """
    exact = [one for one in among if one.name == name]
    found = exact or [one for one in among if name and one.name.endswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"the prototype “{name}” is ambiguous: {_names(found)}")
    near = search(name, among) if name else []
    if near:
        told = "say the end of a name, or all of it; these have it elsewhere"
        raise NotFound(f"no prototype's name ends in “{name}”; {told}: {_names(near)}")
    raise NotFound(f"no prototype's name has “{name}” in it; there are {_names(among)}")


def search(part: str, among: Sequence[Prototype]) -> list[Prototype]:
    """Return the prototypes that have `part` anywhere in their full names."""
    return [one for one in among if part in one.name]


def _names(prototypes: Sequence[Prototype]) -> str:
    return ", ".join(one.name for one in prototypes)


def described(prototype: Prototype) -> str:
    """Return all about a prototype, as `ks prototype describe` lays it out."""
    needed = [one for one in prototype.parameters if one.required]
    others = [one for one in prototype.parameters if not one.required]
    return (
        f"PROTOTYPE NAME:\n{prototype.name}\n\n"
        f"DESCRIPTION:\n{prototype.description}\n\n"
        f"REQUIRED PARAMETERS:\n{parameter_lines(needed)}\n\n"
        f"OPTIONAL PARAMETERS:\n{parameter_lines(others)}\n\n"
        f"TEMPLATE TYPES AVAILABLE:\n  jsonnet\n"
    )


def parameter_lines(parameters: Sequence[Parameter]) -> str:
    """Return a line a parameter: its flag, its description in one column, its default and type."""
    if not parameters:
        return "  [none]"
    width = max(len(_flag(one)) for one in parameters) + len(_GAP)
    return "\n".join(
        f"  {_flag(one):<{width}}{one.description} {_nature(one)}" for one in parameters
    )


def _flag(parameter: Parameter) -> str:
    return f"--{parameter.name}=<{parameter.name}>"


def _nature(parameter: Parameter) -> str:
    default = "" if parameter.required else f"default: {parameter.default}, "
    return f"[{default}type: {parameter.type}]"
