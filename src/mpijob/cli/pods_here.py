"""The openmpi package's pods on this machine: made and run, and deleted by their group's name."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mpijob.api.manifest import resource_name
from mpijob.cli import exits
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.sdk.launcher_output import to_stdout

if TYPE_CHECKING:
    from mpijob.local.backend import Backend

_KINDS = (Kind.POD, Kind.SERVICE, Kind.CONFIG_MAP)


def applied(manifests: Sequence[Manifest], *, wait: bool) -> int:
    """Make the package's objects and run its pods: by themselves, or with `wait` by this process.

    Pods of that name that have ended go first. With `wait` the master's output is printed, and its
    exit code returned.
    """
    metadata = manifests[0]["metadata"]
    key = Key(metadata["namespace"], metadata["labels"]["app"])
    return asyncio.run(_applied(manifests, key, wait=wait))


async def _applied(manifests: Sequence[Manifest], key: Key, *, wait: bool) -> int:
    from mpijob.generate.openmpi.one_machine import on_one_machine
    from mpijob.local import backend, group
    from mpijob.local.settings import Settings, inherited

    async with backend.opened() as local:
        group.tell_the_truth(local.home, local.journal)
        made = on_one_machine(manifests, sys.executable, str(local.home.path))
        if group.has_ended(local.journal.store, key):
            await removed(local, key)
        settings = Settings(str(Path.cwd()), inherited(os.environ))
        begun, held = group.make(local.home, local.objects, key, made, settings)
        for manifest in made:
            click.echo(f"{resource_name(manifest)} created", err=wait)
        master = Ref(Kind.POD, key.namespace, f"{key.name}-master")
        if not wait:
            group.detach(local.home, begun, held)
            click.echo(f"its output: mpijob logs -f {master.name}", err=True)
            return exits.OK
        running = asyncio.create_task(group.run(local.home, local.journal, begun, held))
        async for piece in local.logs.read(master, follow=True):
            to_stdout(piece)
        await running
        return _exit_code(local.journal.store.get(master))


async def removed(local: "Backend", key: Key) -> bool:
    """Delete a group and return when it is gone; say whether there was one."""
    from mpijob.local import group

    store = local.journal.store
    if not group.pods_of(store, key):
        return False
    for kind in _KINDS:
        for manifest in store.list(kind, key.namespace):
            metadata = manifest["metadata"]
            if (metadata.get("labels") or {}).get("app") == key.name:
                await local.objects.delete(
                    Ref(kind, key.namespace, metadata["name"]), uid=metadata["uid"]
                )
    group.tell_the_truth(local.home, local.journal)
    async for _ in local.objects.watch(Kind.POD):
        if not group.pods_of(store, key):
            break
    return True


def _exit_code(master: Manifest | None) -> int:
    rows = ((master or {}).get("status") or {}).get("containerStatuses") or ()
    for row in rows:
        ended = row["state"].get("terminated")
        if ended is not None:
            code: int = ended["exitCode"]
            return code
    return exits.FAILED
