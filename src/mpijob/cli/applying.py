"""Objects of any kind put on a cluster, waited for, and taken off it again; each told in a line."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from mpijob.api import versions
from mpijob.api.manifest import labels_of, resource_name
from mpijob.cli import exits
from mpijob.cli.render.jobs import finished, reason, state
from mpijob.cli.trouble import Trouble
from mpijob.core.job import Manifest

if TYPE_CHECKING:
    from mpijob.kube.client import Client

_JOB = versions.KIND
_POD_ENDS = ("Succeeded", "Failed")


async def apply_all(
    client: "Client", manifests: Sequence[Manifest], *, dry_run: bool = False
) -> None:
    """Bring every object to what its manifest says, in that order, and say what came of each.

    Raises:
        Trouble: What one needs is not there: its namespace, or a server that knows its kind.

    """
    from mpijob.kube.apply import DEFINITION, apply, established, path_of, until
    from mpijob.ports import NotFound, Refused

    note = " (dry run)" if dry_run else ""
    for manifest in manifests:
        name = resource_name(manifest)
        try:
            outcome = str(await apply(client, manifest, dry_run=dry_run))
        except NotFound as missing:
            if not dry_run:
                raise _homeless(manifest, missing) from missing
            outcome = "created, once its namespace is"
        except Refused as refusal:
            if manifest["kind"] == "Pod" and "may not change" in str(refusal):
                raise _fixed(manifest) from refusal
            raise
        click.echo(f"{name} {outcome}{note}")
        if manifest["kind"] == DEFINITION and not dry_run:
            await until(client, path_of(manifest), established, timeout_s=60)


async def warn_of_rivals(client: "Client", manifests: Sequence[Manifest]) -> None:
    """Say which other operators act on the same jobs, where an operator of ours is to be made."""
    from mpijob.generate.rivals import rivals
    from mpijob.generate.settings import SELECTOR, Installation
    from mpijob.kube.apply import listed

    for manifest in manifests:
        if manifest["kind"] != "Deployment" or not labels_of(manifest).items() >= SELECTOR.items():
            continue
        there = [each async for each in listed(client, "/apis/apps/v1/deployments")]
        for rival in rivals(there, Installation(manifest["metadata"]["namespace"])):
            told = "two that act on one job undo each other's work; have it rest:"
            click.echo(f"warning: {rival}: {told} {rival.remedy}", err=True)


def _homeless(manifest: Manifest, missing: Exception) -> Trouble:
    """Return what to say of an object that there is no place for."""
    from mpijob.ports import Unserved

    namespace = manifest["metadata"].get("namespace", "")
    if isinstance(missing, Unserved) and manifest["kind"] == _JOB:
        what = f"the cluster does not know MPIJobs of {manifest['apiVersion']}"
        hint = "`mpijob install` puts their definition and the operator there"
    elif isinstance(missing, Unserved):
        what = f"the cluster does not know {manifest['kind']} of {manifest['apiVersion']}"
        hint = ""
    else:
        what, hint = str(missing), f"kubectl create namespace {namespace}"
    return Trouble(f"{resource_name(manifest)}: {what}", hint=hint, code=exits.NOT_FOUND)


def _fixed(manifest: Manifest) -> Trouble:
    return Trouble(
        f"{resource_name(manifest)} is there already, and a pod cannot be changed",
        hint="delete it first",
        code=exits.CONFLICT,
    )


async def until_done(
    client: "Client", manifests: Sequence[Manifest], timeout_s: float | None
) -> int:
    """Return once Deployments are ready, and jobs and pods have ended; say of each that it is so.

    Returns:
        The exit code: FAILED where a job or a pod has failed.

    Raises:
        Trouble: The time is over.

    """
    code = exits.OK
    try:
        async with asyncio.timeout(timeout_s):
            for manifest in manifests:
                code = max(code, await _until_done(client, manifest))
    except TimeoutError:
        raise Trouble(
            "timed out: not all of it is ready, or has ended", code=exits.TIMED_OUT
        ) from None
    return code


async def _until_done(client: "Client", manifest: Manifest) -> int:
    from mpijob.kube.apply import found, path_of, until

    is_done = _END.get(manifest["kind"])
    if is_done is None:
        return exits.OK
    await until(client, path_of(manifest), is_done, None)
    seen = await found(client, path_of(manifest)) or manifest
    failed, said = _told(seen)
    click.echo(f"{resource_name(manifest)} {said}", err=failed)
    return exits.FAILED if failed else exits.OK


def _rolled_out(deployment: Manifest) -> bool:
    from mpijob.kube.apply import rolled_out

    return rolled_out(deployment)


def _job_ended(job: Manifest) -> bool:
    draft = versions.decode(job)
    return finished(draft) or state(draft) == "Invalid"


def _pod_ended(pod: Manifest) -> bool:
    return _phase(pod) in _POD_ENDS


#: When what was made of a kind is as it should be, or will be nothing else any more.
_END: dict[str, Callable[[Manifest], bool]] = {
    "Deployment": _rolled_out,
    _JOB: _job_ended,
    "Pod": _pod_ended,
}


def _told(seen: Manifest) -> tuple[bool, str]:
    """Return whether an object has failed, and how it is."""
    if seen["kind"] == _JOB:
        draft = versions.decode(seen)
        why = reason(draft.status)
        is_well = state(draft) == "Succeeded"
        return not is_well, state(draft) + ("" if is_well or not why else f" ({why})")
    if seen["kind"] == "Pod":
        return _phase(seen) == "Failed", _phase(seen)
    return False, "ready"


def _phase(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("phase") or "Unknown")


async def surplus_pods(client: "Client", manifests: Sequence[Manifest]) -> list[Manifest]:
    """Return the pods on the cluster that count on from these: made when more were asked for."""
    from mpijob.generate.numbered import surplus
    from mpijob.kube.apply import listed, path_of

    made = [each for each in manifests if each["kind"] == "Pod"]
    sets = {
        (path_of(pod).rpartition("/")[0], ",".join(f"{k}={v}" for k, v in labels_of(pod).items()))
        for pod in made
    }
    there = [
        {"apiVersion": "v1", "kind": "Pod", **pod}
        for path, selector in sorted(sets)
        async for pod in listed(client, path, selector)
    ]
    return list(surplus(there, made))


async def remove_all(client: "Client", manifests: Sequence[Manifest], *, wait: bool) -> None:
    """Delete every object, the last first, and say which were there.

    The definition of MPIJobs stays while there are any: with it they would go, whosesoever they
    are.
    """
    from mpijob.kube.apply import DEFINITION, path_of, remove, until_gone
    from mpijob.kube.discovery import job_count

    others = [each for each in reversed(manifests) if each["kind"] != DEFINITION]
    gone = [each for each in others if await remove(client, path_of(each))]
    for manifest in gone:
        click.echo(f"{resource_name(manifest)} deleted")
    definitions = [each for each in manifests if each["kind"] == DEFINITION]
    if wait or definitions:
        for manifest in gone:
            await until_gone(client, path_of(manifest))
    for definition in definitions:
        if left := await job_count(client):
            name = resource_name(definition)
            click.echo(f"{name} stays, since others have MPIJobs: {left} of them", err=True)
        elif await remove(client, path_of(definition)):
            gone.append(definition)
            click.echo(f"{resource_name(definition)} deleted")
            await until_gone(client, path_of(definition))
    if not gone:
        click.echo("nothing of it is there", err=True)
