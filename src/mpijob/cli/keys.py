"""`mpijob keys`: the ssh keys of hosts that no operator looks after."""

from base64 import b64encode
from typing import TYPE_CHECKING

import click

from mpijob.api.manifest import resource_name
from mpijob.cli import exits
from mpijob.cli.options import namespace_option
from mpijob.cli.output import output_option, written
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import meant
from mpijob.core.config import KeyType
from mpijob.core.job import Manifest

if TYPE_CHECKING:
    from mpijob.kube.client import Client


@click.group("keys")
def command() -> None:
    """Make the Secret by which hosts of Open MPI let each other in."""


@command.command("create")
@click.argument("secret")
@click.option(
    "--key-type",
    type=click.Choice([kind.value for kind in KeyType]),
    default=KeyType.ED25519.value,
    show_default=True,
    help="The kind of the keys.",
)
@click.option("--replace", is_flag=True, help="Take the place of a Secret of that name.")
@click.option("--dry-run", is_flag=True, help="Have the server check it all, and make nothing.")
@output_option("yaml", "json", "name")
@namespace_option
def _create(
    *, secret: str, key_type: str, replace: bool, dry_run: bool, output: str | None, namespace: str
) -> int:
    """Draw a new pair of ssh keys, and put it into a SECRET of the cluster.

    Does what `ssh-keygen` and `kubectl create secret generic` do in the openmpi package's document:
    the Secret has id_rsa, id_rsa.pub and authorized_keys. With -o it is printed, no cluster is
    asked, and nothing is made.
    """
    made = _secret(secret, namespace, KeyType(key_type))
    if output is not None:
        told = f"{resource_name(made)}\n" if output == "name" else written(made, output)
        click.echo(told, nl=False)
        return exits.OK
    meant().is_cluster = True

    async def create(client: "Client") -> int:
        await _put(client, made, replace=replace, dry_run=dry_run)
        return exits.OK

    return meant().run(create)


def _secret(name: str, namespace: str, key_type: KeyType) -> Manifest:
    from mpijob.keys import openssh_secret

    data = {key: b64encode(value).decode() for key, value in openssh_secret(key_type).items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": data,
    }


async def _put(client: "Client", made: Manifest, *, replace: bool, dry_run: bool) -> None:
    """Make the Secret. Raises Trouble where one is there that is not to be replaced."""
    import json

    from mpijob.kube.apply import path_of, remove
    from mpijob.ports import Conflict

    path, name = path_of(made), made["metadata"]["name"]
    if replace and not dry_run:
        await remove(client, path)
    try:
        await client.request(
            "POST",
            path.rpartition("/")[0],
            body=json.dumps(made).encode(),
            query={"dryRun": "All"} if dry_run else {},
        )
    except Conflict as taken:
        if not (replace and dry_run):
            what = f"there is a Secret {name} in namespace {made['metadata']['namespace']}"
            hint = "--replace takes its place; pods that run keep the keys that they have"
            raise Trouble(what, hint=hint, code=exits.CONFLICT) from taken
    click.echo(f"{resource_name(made)} created{' (dry run)' if dry_run else ''}")
