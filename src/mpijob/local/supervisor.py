"""The process that runs one job on this machine: its operator, its controllers and its pods.

Expected flow: whoever holds the job's claim makes a `Supervisor` and awaits `run`, which returns
when the job is at rest for good and no process of it is left. `interrupt` ends the job early, a
second one at once.

Guarantees: when `run` has returned or raised, no process of the job is left. When this process
dies, the kernel ends them, and the next command that opens the home tells the truth about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from mpijob.api import v2beta1
from mpijob.core.job import Key, Manifest, MPIJob
from mpijob.core.plan import Kind, Phase, Ref
from mpijob.engine.control import Engine, Outside
from mpijob.local import aftermath
from mpijob.local.arrangement import hosts_of, node_of, surroundings
from mpijob.local.claim import Claim, inherited
from mpijob.local.control_plane import ControlPlane
from mpijob.local.home import Home, JobFolder, opened
from mpijob.local.journal import Journal
from mpijob.keys import DrawnKeys
from mpijob.local.kubelet import Duties, Ground, Kubelet
from mpijob.local.machine import machine
from mpijob.local.objects import LocalObjects
from mpijob.local.runtime import Runtime, RuntimeFailed
from mpijob.local.settings import Settings, read

_log = logging.getLogger(__name__)
#: How long pods have to end once their job has, in seconds; less where they ask for less.
FAREWELL_S = 5.0


@dataclass(frozen=True, slots=True)
class Charge:
    """The job that a supervisor has in its charge."""

    key: Key
    uid: str
    folder: JobFolder
    claim: Claim
    settings: Settings

    @property
    def ref(self) -> Ref:
        """The job's address."""
        return Ref(Kind.MPI_JOB, self.key.namespace, self.key.name)


class Supervisor:
    """Runs one job until it is at rest for good."""

    def __init__(
        self, journal: Journal, home: Home, charge: Charge, launching: asyncio.Task[Runtime]
    ) -> None:
        """Not for callers: see `backend`. `launching` brings the runtime."""
        self._journal = journal
        self._home = home
        self._charge = charge
        self._launching = launching
        self._machine = machine(os.environ)
        node = node_of(self._machine, charge.settings)
        self._plane = ControlPlane(journal, charge.key, charge.uid, node)
        self._plane.settled = self._look_up
        outside = Outside(LocalObjects(journal), DrawnKeys(), journal.now)
        self._engine = Engine(outside, aftermath.CONFIG, only=charge.key)
        self._news = asyncio.Event()
        self._interrupts = 0
        self._runtime: Runtime | None = None

    @property
    def job(self) -> Manifest | None:
        """The job as it is now, None where it is gone."""
        job = self._journal.store.get(self._charge.ref)
        return job if job is not None and job["metadata"]["uid"] == self._charge.uid else None

    async def run(self) -> None:
        """Run the job until it is at rest for good and nothing of it is left running.

        Raises RuntimeFailed where no pods can be run on this machine.
        """
        engine = asyncio.create_task(self._engine.run())
        plane = asyncio.create_task(self._plane.run())
        pods = asyncio.create_task(self._run_pods())
        rest = asyncio.create_task(self._until_rest())
        working = {engine, plane, pods}
        try:
            await asyncio.wait({rest, *working}, return_when=asyncio.FIRST_COMPLETED)
            _raise_first(working)
            await _cancelled(engine)
            await self._farewell()
        finally:
            await _cancelled(rest, pods, engine, plane)
            await self._leave()

    def interrupt(self, reason: str, message: str) -> None:
        """Have the job end, as failed for that reason; called again, at once."""
        self._interrupts += 1
        if self._interrupts == 1 and self.job is not None:
            self._end_job(reason, message)
        self._look_up()

    def catch_signals(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as interrupts, on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            told = f"mpijob was told to stop ({number.name}), and the job with it"
            loop.add_signal_handler(number, self.interrupt, "Interrupted", told)

    # How it is done.

    def _end_job(self, reason: str, message: str) -> None:
        why, key, now = (reason, message), self._charge.key, self._journal.now()
        self._journal.write(lambda store: aftermath.end_job(store, key, why, now))

    def _look_up(self) -> None:
        self._charge.claim.refresh()
        self._news.set()

    async def _run_pods(self) -> None:
        """Have a kubelet as soon as there is a runtime, and tell it what that one tells."""
        self._runtime = runtime = await self._launching
        job = self.job
        typed = v2beta1.job(job) if job is not None else None
        if not isinstance(typed, MPIJob):
            return
        runtime.expect(hosts_of(typed))
        cache = self._home.path / "mpi.json"
        ground = Ground(
            node_of(self._machine, self._charge.settings),
            self._charge.folder,
            surroundings(typed, self._charge.settings, self._machine, runtime, cache),
        )
        duties = Duties(self._plane.is_mine, self._plane.stir, self._end_job)
        kubelet = Kubelet(runtime, ground, duties)
        self._plane.kubelet = kubelet
        self._plane.stir()
        try:
            async for event in runtime.events():
                kubelet.hear(event)
        except RuntimeFailed as failure:
            kubelet.lose_all(str(failure))
            self._end_job("RuntimeLost", str(failure))

    async def _until_rest(self) -> None:
        """Return once nothing will happen to the job any more, or somebody insists."""
        while True:
            if self._is_at_rest():
                if self._interrupts < 2:
                    # What was decided is also to be told: events come after the status.
                    await self._engine.idle()
                if self._is_at_rest():
                    return
            self._news.clear()
            await self._news.wait()

    def _is_at_rest(self) -> bool:
        if self._interrupts > 1:
            return True
        job = self.job
        if job is None:
            kubelet = self._plane.kubelet
            return kubelet is None or not kubelet.living
        if not self._interrupts and not aftermath.may_rest(job):
            return False
        plan = aftermath.plan_of(self._journal.store, self._charge.key, self._journal.now())
        if plan is None:
            return False
        ends = plan.phase in aftermath.FINAL
        held = self._interrupts > 0 and plan.phase is Phase.SUSPENDED
        return (ends or held) and not plan.stages

    async def _farewell(self) -> None:
        """End the pods that are left: the launcher's first, so that it sees its hosts alive."""
        kubelet = self._plane.kubelet
        if kubelet is None:
            return
        for launchers in (True, False):
            kubelet.end_all(FAREWELL_S, launchers=launchers)
            while self._interrupts < 2 and any(
                life.is_launcher is launchers for life in kubelet.living
            ):
                self._news.clear()
                await self._news.wait()

    async def _leave(self) -> None:
        """Close the runtime, whatever it still runs, and tell the last of it."""
        runtime = self._runtime
        if runtime is None:
            self._launching.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeFailed):
                runtime = await self._launching
        if runtime is not None:
            await runtime.close()
        if self._plane.kubelet is not None:
            self._plane.kubelet.lose_all("ended with its job")
            self._plane.round()
        gone = self.job is None
        self._charge.claim.release()
        if gone:
            self._charge.folder.remove()


def _raise_first(tasks: set[asyncio.Task[None]]) -> None:
    """Raise what made a task end that was to go on."""
    for task in tasks:
        if task.done() and not task.cancelled():
            failure = task.exception()
            if failure is not None:
                raise failure


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and return when they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _supervise(place: Path, key: Key, uid: str, descriptor: int) -> None:
    home = opened(place)
    journal = Journal(home)
    try:
        journal.listen()
        folder = home.job(key, uid)
        claim = inherited(folder.lock, descriptor).sign()
        settings = read(folder.settings)
        launching = asyncio.create_task(Runtime.launch(home.path, mode=settings.pods))
        charge = Charge(key, uid, folder, claim, settings)
        supervisor = Supervisor(journal, home, charge, launching)
        supervisor.catch_signals()
        await supervisor.run()
    finally:
        journal.close()


def main() -> None:
    """Run the job that a command has handed on: home, namespace, name, uid, claim's descriptor."""
    place, namespace, name, uid, descriptor = sys.argv[1:]
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    asyncio.run(_supervise(Path(place), Key(namespace, name), uid, int(descriptor)))


if __name__ == "__main__":
    main()
