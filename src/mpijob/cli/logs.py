"""`mpijob logs`: what a job's pods have written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import click
from msgspec import Struct
from msgspec.structs import replace

from mpijob.api import versions
from mpijob.api.manifest import uid_of
from mpijob.cli import exits
from mpijob.cli.options import name_argument, namespace_option
from mpijob.cli.render.ranks import HOW, LineCutter, lines_of
from mpijob.cli.trouble import Trouble
from mpijob.cli.world import World, within
from mpijob.core import names
from mpijob.core.job import Key, Manifest, MPIJob, Role
from mpijob.core.plan import Kind, Ref
from mpijob.ports import NotFound
from mpijob.sdk.launcher_output import LauncherOutput, to_stdout


class Asked(Struct, frozen=True):
    """Which logs, and how much of them."""

    key: Key
    role: Role
    index: int | None
    rank: int | None
    container: str
    follow: bool
    previous: bool
    tail: int | None

    async def printed(self, world: World) -> int:
        """Print the logs that are asked for: a job's, or those of a plain pod of this machine."""
        try:
            job = await world.job(self.key)
        except Trouble:
            if not await self._print_plain_pod(world):
                raise
            return exits.OK
        if self.rank is not None and self.role is Role.WORKER:
            return await self._at_host(job, self.rank).printed(world)
        uid = uid_of(job)
        if self.follow and self.role is Role.LAUNCHER and self.rank is None and self.tail is None:
            return await self._follow_launcher(world)
        pods = self._chosen(await world.pods_with_logs(self.key, uid))
        if self.rank is not None:
            return await self._print_rank(world, pods[-1])
        if len(pods) == 1:
            await self._print(world, pods[0], b"")
            return exits.OK
        for pod in pods:
            # A worker that runs nothing but ranks has no log: they write to the launcher's.
            with suppress(NotFound):
                await self._print(world, pod, f"[{pod}] ".encode())
        return exits.OK

    async def _print_plain_pod(self, world: World) -> bool:
        """Print the log of a pod that belongs to no job; say whether there is one here."""
        pod = Ref(Kind.POD, *self.key)
        try:
            if not world.is_here:
                return False
            await world.objects.get(pod)
        except NotFound:
            return False
        await self._print(world, pod.name, b"")
        return True

    def _at_host(self, written: Manifest, rank: int) -> "Asked":
        """Return what asks for all that the host of a rank has written. Raises Trouble for none."""
        job = versions.job(written)
        host = names.host_of_rank(job, rank) if isinstance(job, MPIJob) else None
        if host is None:
            message = f"{self.key.name} has no slot for rank {rank}"
            raise Trouble(message, hint="ranks count from 0", code=exits.INVALID)
        index = names.worker_index(host)
        role = Role.LAUNCHER if index is None else Role.WORKER
        return replace(self, rank=None, role=role, index=index)

    def _chosen(self, pods: list[str]) -> list[str]:
        """Return the pods whose logs are asked for: of launchers the last.

        Raises:
            Trouble: No such pod has left a log.

        """
        if self.role is Role.LAUNCHER:
            found = [pod for pod in pods if pod.startswith(f"{names.launcher(self.key.name)}-")][
                -1:
            ]
        else:
            found = [
                pod
                for pod in sorted(pods, key=lambda pod: (len(pod), pod))
                if (index := names.worker_index(pod)) is not None and self.index in (None, index)
            ]
        if found:
            return found
        which = self.role.value if self.index is None else f"{self.role.value} {self.index}"
        hint = f"`mpijob why {self.key.name}` says how far the job is"
        raise Trouble(f"no {which} of {self.key.name} has run yet", hint=hint, code=exits.NOT_FOUND)

    async def _print(self, world: World, pod: str, prefix: bytes) -> None:
        """Print one pod's log, a prefix before each line where there is one."""
        cutter = LineCutter()
        async for piece in self._read(world, pod):
            to_stdout(b"".join(prefix + line for line in cutter.cut(piece)) if prefix else piece)
        to_stdout(b"".join(prefix + line for line in cutter.rest()))

    async def _print_rank(self, world: World, pod: str) -> int:
        """Print one rank's lines of the launcher's log."""
        cutter, found = LineCutter(), False
        async for piece in self._read(world, pod):
            for line in lines_of(self.rank or 0, cutter.cut(piece)):
                found = True
                to_stdout(line)
        for line in lines_of(self.rank or 0, cutter.rest()):
            found = True
            to_stdout(line)
        if not found:
            raise Trouble(f"no line is tagged as rank {self.rank}'s", hint=f"to have tags: {HOW}")
        return exits.OK

    def _read(self, world: World, pod: str) -> AsyncIterator[bytes]:
        return world.logs.read(
            Ref(Kind.POD, self.key.namespace, pod),
            self.container,
            follow=self.follow,
            previous=self.previous,
            tail_lines=self.tail,
        )

    async def _follow_launcher(self, world: World) -> int:
        """Print what the launcher writes, run after run, until the job has ended."""
        output = LauncherOutput(world.logs, self.key.namespace, lambda: None)
        writing = asyncio.create_task(output.run())
        looking = asyncio.create_task(self._look(world, output))
        try:
            await asyncio.wait({writing, looking}, return_when=asyncio.FIRST_COMPLETED)
            output.close()
            await writing
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        return exits.OK

    async def _look(self, world: World, output: LauncherOutput) -> None:
        """Tell `output` of the launcher's pods until the job has ended or is gone."""
        async with aclosing(world.following(self.key)) as looks:
            async for observed in looks:
                output.see(observed.launcher_pods)
                if observed.job.status.finished:
                    return


@click.command("logs")
@name_argument
@namespace_option
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    help="Whose: the launcher's, which has all ranks' output, or the workers'.",
)
@click.option("--index", type=click.IntRange(min=0), metavar="NUMBER", help="The worker of that.")
@click.option("--rank", type=click.IntRange(min=0), metavar="NUMBER", help="Lines of that rank.")
@click.option("-c", "--container", default="", help="Which container; the first is usual.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before the last restart.")
@click.option("--tail", type=click.IntRange(min=0), metavar="LINES", help="So many last lines.")
def command(
    *,
    name: str,
    namespace: str,
    role: str | None,
    index: int | None,
    rank: int | None,
    **options: object,
) -> int:
    """Print what a job's launcher or its workers have written.

    All ranks write to mpirun, and so to the launcher's log. --rank picks one rank's lines out of
    it, where mpirun was asked to tag them: mpirun --tag-output. With --role worker it picks the
    log of the host that the rank is on, where ranks fill slots in order.

    On this machine logs are kept until the job is deleted, those of pods that are gone too; on a
    cluster a log goes with its pod.
    """
    if rank is not None and index is not None:
        message = "ranks write to the launcher's log: --rank goes without --index"
        raise Trouble(message, code=exits.INVALID)
    if index is not None and role == "launcher":
        raise Trouble("a launcher has no index", code=exits.INVALID)
    asked = Asked(
        Key(namespace, name),
        Role(role or ("worker" if index is not None else "launcher")),
        index,
        rank,
        **options,  # type: ignore[arg-type]  # click has checked them.
    )
    return within(asked.printed)
