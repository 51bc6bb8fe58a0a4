"""A job in the foreground: run here and watched, its launcher's output and code passed on."""

import asyncio
from contextlib import aclosing

import click
from msgspec import Struct

from mpijob.api import children
from mpijob.cli import exits
from mpijob.cli.output import forget_stdout
from mpijob.cli.render.age import between
from mpijob.cli.render.facts import short
from mpijob.cli.render.jobs import reason
from mpijob.cli.trouble import Trouble
from mpijob.cli.watching import Watching, heard
from mpijob.cli.world import Interruptible, World
from mpijob.core import names
from mpijob.core.explain import Weight, explain
from mpijob.core.job import Key
from mpijob.core.observed import Observed, PodView
from mpijob.core.plan import Kind
from mpijob.core.status import ConditionType, JobStatus
from mpijob.engine.sight import Scope
from mpijob.ports import ChangeType
from mpijob.sdk.launcher_output import LauncherOutput

#: How long, in seconds, one look at the job may at least wait for the one before it.
_PAUSE_S = 0.1


class Foreground(Struct):
    """One job that this command stays with, and what the person in front of it sees of it."""

    world: World
    running: Interruptible
    key: Key
    watching: Watching
    talkative: bool
    last: Observed | None = None
    exit_code: int | None = None

    async def run(self) -> int:
        """Run the job to its end and return what the command is to exit with."""
        self.running.catch_signals()
        output = LauncherOutput(self.world.logs, self.key.namespace, self.watching.stop)
        looking = asyncio.create_task(self._look(output))
        keeping = asyncio.create_task(self._keep_codes())
        writing = asyncio.create_task(output.run())
        running = asyncio.create_task(self.running.run())
        try:
            await asyncio.wait({running, writing, looking}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                # It ends with the job, or says why nothing can be seen of it.
                looking.result()
                await asyncio.wait({running, writing}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done() and not running.done():
                # Only a closed pipe ends it early: nobody reads what the job has to say.
                forget_stdout()
                told = "nobody reads the job's output any more (SIGPIPE)"
                self.running.interrupt("Interrupted", told)
            await running
        except Trouble:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            raise
        finally:
            # What was told last is still to be heard.
            await asyncio.sleep(0)
            for task in (looking, keeping):
                task.cancel()
            await asyncio.gather(looking, keeping, return_exceptions=True)
            self.watching.stop()
        await self._look_once(output)
        output.close()
        try:
            await writing
        except BrokenPipeError:
            forget_stdout()
            return exits.UNREAD
        return self._end()

    async def _look(self, output: LauncherOutput) -> None:
        """Look at the job whenever something of it has changed, until cancelled."""
        async with aclosing(self.world.following(self.key, self.watching.tick_s)) as looks:
            async for observed in looks:
                self._take_in(observed, output)
                await asyncio.sleep(_PAUSE_S)

    async def _keep_codes(self) -> None:
        """Remember how the launcher ended, of whose every change some last for no time at all."""
        launcher = Kind.JOB.value, names.launcher(self.key.name)
        async for change in self.world.changes(Kind.POD, Scope(self.key.namespace, self.key.name)):
            if change.type is ChangeType.SYNCED:
                continue
            seen = children.seen(Kind.POD, change.manifest)
            of_launcher = (seen.owner_kind, seen.owner_name) == launcher
            if of_launcher and seen.key.namespace == self.key.namespace:
                self.exit_code = _own_code(seen.view, self.exit_code)

    async def _look_once(self, output: LauncherOutput) -> None:
        """Show the job as it is, and tell `output` of the launcher's pods."""
        self.last = await self.world.observed(self.key)
        if self.last is not None:
            self._take_in(self.last, output)

    def _take_in(self, observed: Observed, output: LauncherOutput) -> None:
        self.last = observed
        output.see(observed.launcher_pods)
        if not observed.job.status.finished:
            self.watching.show(observed, self.world.now())

    def _end(self) -> int:
        """Say how the job ended, where that is worth a word, and return the exit code."""
        if self.last is None:
            raise Trouble(f"{self.key.name} was deleted while it ran")
        status = self.last.job.status
        if status.is_true(ConditionType.SUCCEEDED):
            if self.talkative:
                took = between(status.started_at, status.completed_at, self.world.now())
                click.echo(f"{self.key.name} succeeded in {took}", err=True)
            return exits.OK
        self._tell_failure(self.last)
        return _failure_code(status, self.exit_code)

    def _tell_failure(self, observed: Observed) -> None:
        """Say why the job has not succeeded, and what to do about it.

        The launcher's last words are not told again: they were passed on as it said them.
        """
        status = observed.job.status
        named = status.naming_condition
        state = named.value if named else "not finished"
        # Who is ended by us has a code that tells of that alone.
        ended = reason(status) in _ENDED_BY_US
        code = f", exit code {self.exit_code}" if self.exit_code and not ended else ""
        why = f" ({reason(status)}{code})" if reason(status) else ""
        mark = click.style("error:", fg="red", bold=True)
        click.echo(f"{mark} {self.key.name} is {state}{why}", err=True)
        facts = explain(observed)
        told = heard(observed) | ({str(self.key)} if status.finished else set())
        for fact in facts:
            if fact.weight is Weight.CAUSE and fact.subject not in told:
                click.echo(f"  {short(fact)}", err=True)
        for advice in dict.fromkeys(fact.advice for fact in facts if fact.advice):
            click.echo(f"  → {advice}", err=True)


#: 128 + SIGKILL and 128 + SIGTERM.
_KILLED = (137, 143)
_ENDED_BY_US = ("Interrupted", "DeadlineExceeded")


def _own_code(pod: object, before: int | None) -> int | None:
    """Return how a launcher's pod says that it ended, `before` where it says nothing of its own.

    A launcher that has used up its retries, or is suspended, is killed with its pod: that is no
    code of its own.
    """
    if not isinstance(pod, PodView):
        return before
    for container in pod.containers:
        killed = pod.deleting and container.exit_code in _KILLED
        if not container.init and container.exit_code is not None and not killed:
            return container.exit_code
    return before


def _failure_code(status: JobStatus, launcher: int | None) -> int:
    """Return the exit code for a job that has not succeeded."""
    failed = status.condition(ConditionType.FAILED)
    if status.is_true(ConditionType.INVALID):
        return exits.INVALID
    match failed.reason if failed else "":
        case "Interrupted":
            told = failed.message if failed else ""
            return exits.TERMINATED if "SIGTERM" in told else exits.INTERRUPTED
        case "DeadlineExceeded":
            return exits.TIMED_OUT
        case _:
            return launcher or exits.FAILED
