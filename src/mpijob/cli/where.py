"""Whose jobs a command is about: this machine's, or a cluster's. Options and the rule, once.

A command is about a cluster where the person says so: by `--cluster`, `--context` or
`--kubeconfig`, before the command's name or after it, by $MPIJOB_CLUSTER, or as `kubectl mpijob`.
Else it is about this machine, whether there is a kubeconfig or not.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from mpijob.cli.trouble import Trouble

if TYPE_CHECKING:
    from mpijob.kube.client import Client
    from mpijob.kube.config import Connection

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Result = TypeVar("_Result")

#: Set to anything but "" or "0", commands are about the kubeconfig's cluster.
VARIABLE = "MPIJOB_CLUSTER"
#: The namespace of a job that says none.
DEFAULT_NAMESPACE = "default"


class Where(Struct):
    """What the command line says of the place; "" where it is silent."""

    is_cluster: bool = False
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""

    def connection(self) -> "Connection":
        """Return where the cluster is. Raises Trouble where no kubeconfig says so."""
        from mpijob.kube.config import connection
        from mpijob.kube.entries import ConfigError

        try:
            return connection(self.kubeconfig, self.context)
        except ConfigError as missing:
            raise Trouble(str(missing)) from missing

    def home(self) -> str:
        """Return the namespace that is meant where none is said: that of the context, if any."""
        if self.namespace:
            return self.namespace
        return self.connection().namespace if self.is_cluster else DEFAULT_NAMESPACE

    def run(self, action: Callable[["Client"], Awaitable[_Result]]) -> _Result:
        """Return what `action` makes of a client for the cluster. Raises Trouble as above."""
        import asyncio

        from mpijob.kube.client import Client

        place = self.connection()

        async def whole() -> _Result:
            async with Client(place) as client:
                return await action(client)

        return asyncio.run(whole())


def meant(context: click.Context | None = None) -> Where:
    """Return what a command line says of the place, and the environment; the present one's if None.

    It is one value, to which all options of the command line write.
    """
    root = (context or click.get_current_context()).find_root()
    if not isinstance(root.obj, Where):
        root.obj = Where(is_cluster=os.environ.get(VARIABLE, "") not in ("", "0"))
    return root.obj


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Take note of an option that says which cluster is meant."""
    if value:
        where = meant(context)
        where.is_cluster = True
        if parameter.name != "cluster":
            setattr(where, str(parameter.name), value)


def _note_namespace(context: click.Context, _: click.Parameter, value: str) -> None:
    if value:
        meant(context).namespace = value


# Eager, so that they are known when the namespace that they imply is asked for.
_CLUSTER = click.option(
    "--cluster",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_note,
    help="On the kubeconfig's cluster, not on this machine.",
)
_CONTEXT = click.option(
    "--context",
    metavar="NAME",
    expose_value=False,
    is_eager=True,
    callback=_note,
    help="On the cluster of that context.",
)
_KUBECONFIG = click.option(
    "--kubeconfig",
    metavar="FILE",
    expose_value=False,
    is_eager=True,
    callback=_note,
    help="Where clusters are; else $KUBECONFIG, or ~/.kube/config.",
)
_NAMESPACE = click.option(
    "-n",
    "--namespace",
    metavar="NAMESPACE",
    expose_value=False,
    is_eager=True,
    callback=_note_namespace,
    help="Whose jobs.",
)


def where_options(command: _Command) -> _Command:
    """Give a command `--cluster`, `--context` and `--kubeconfig`; `meant` tells what they say."""
    return _CLUSTER(_CONTEXT(_KUBECONFIG(command)))


def cluster_options(command: _Command) -> _Command:
    """Give a command that is about clusters alone `--context` and `--kubeconfig`."""
    return _CONTEXT(_KUBECONFIG(command))


def global_options(command: _Command) -> _Command:
    """Give the group all of these, and `--namespace`, as kubectl takes them before a command."""
    return where_options(_NAMESPACE(command))
