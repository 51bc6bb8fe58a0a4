"""Which cluster a command speaks to: options that commands for clusters share, as kubectl's."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mpijob.cli.trouble import Trouble

if TYPE_CHECKING:
    from mpijob.kube.client import Client

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """The cluster that a person means: a kubeconfig and a context of it, "" where unsaid."""

    kubeconfig: str = ""
    context: str = ""

    def run(self, action: Callable[["Client"], Awaitable[_Result]]) -> _Result:
        """Return what `action` makes of a client for that cluster.

        Raises:
            Trouble: No kubeconfig says where it is.

        """
        import asyncio

        from mpijob.kube.client import Client
        from mpijob.kube.config import connection
        from mpijob.kube.entries import ConfigError

        try:
            place = connection(self.kubeconfig, self.context)
        except ConfigError as missing:
            raise Trouble(str(missing)) from missing

        async def whole() -> _Result:
            async with Client(place) as client:
                return await action(client)

        return asyncio.run(whole())


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--kubeconfig` and `--context`; it takes them as `cluster`."""

    @functools.wraps(command)
    def chosen(*, kubeconfig: str, context: str, **rest: Any) -> Any:
        return command(cluster=ClusterChoice(kubeconfig, context), **rest)

    for option in (
        click.option("--context", default="", metavar="NAME", help="Which of the kubeconfig's."),
        click.option(
            "--kubeconfig",
            default="",
            metavar="FILE",
            help="Where the cluster is; else $KUBECONFIG, or ~/.kube/config.",
        ),
    ):
        chosen = option(chosen)
    return chosen
