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
from pathlib import Path

from msgspec import Struct

from mpijob.api import versions
from mpijob.core.job import Key, Manifest, MPIJob
from mpijob.core.plan import Kind, Phase, Ref
from mpijob.engine.control import Engine, Outside
from mpijob.keys import DrawnKeys
from mpijob.local import aftermath
from mpijob.local.arrangement import hosts_of, node_of, surroundings
from mpijob.local.claim import Claim, inherited
from mpijob.local.control_plane import ControlPlane
from mpijob.local.home import Home, JobFolder, opened
from mpijob.local.journal import Journal, JournalBroken
from mpijob.local.kubelet import Duties, Ground, Kubelet
from mpijob.local.machine import machine
from mpijob.local.objects import LocalObjects
from mpijob.local.runtime import Runtime, RuntimeFailed
from mpijob.local.settings import Settings, read

_log = logging.getLogger(__name__)
#: How long pods have to end once their job has, in seconds; less where they ask for less.
FAREWELL_S = 5.0


class Charge(Struct, frozen=True):
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
        self._plane = ControlPlane(journal, charge.key, charge.uid)
        self._plane.settled = self._look_up
        outside = Outside(LocalObjects(journal), DrawnKeys(), journal.now)
        self._engine = Engine(outside, aftermath.CONFIG, only=charge.key)
        self._news = asyncio.Event()
        self._interrupts = 0

    @property
    def job(self) -> Manifest | None:
        """The job as it is now, None where it is gone."""
        job = self._journal.store.get(self._charge.ref)
        return job if job is not None and job["metadata"]["uid"] == self._charge.uid else None

    async def run(self) -> None:
        """Run the job until it is at rest for good and nothing of it is left running."""
        engine = asyncio.create_task(self._engine.run())
        plane = asyncio.create_task(self._plane.run())
        pods = asyncio.create_task(self._run_pods())
        rest = asyncio.create_task(self._until_rest())
        working = {engine, plane, pods}
        try:
            await _first_done(rest, working)
            await _cancelled(engine)
            await self._farewell()
        finally:
            await _cancelled(rest, pods, engine, plane)
            await self._leave()

    def interrupt(self, reason: str, message: str) -> None:
        """Have the job end, as failed for that reason; called again, at once.

        A suspended job stays as it is: it can be resumed.
        """
        self._interrupts += 1
        job = self.job
        if self._interrupts == 1 and job is not None and not aftermath.is_suspended(job):
            try:
                self._end_job(reason, message)
            except JournalBroken as broken:
                # It cannot be recorded, so it is done; the next command will tell.
                _log.warning("the job is ended at once: %s", broken)
                self._interrupts += 1
        self._look_up()

    def catch_signals(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as interrupts, on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            told = f"mpijob was told to stop ({number.name}), and the job with it"
            loop.add_signal_handler(number, self.interrupt, "Interrupted", told)

    # How it is done.

    def _end_job(self, reason: str, message: str) -> None:
        why, now = (reason, message), self._journal.now()
        key, uid = self._charge.key, self._charge.uid
        self._journal.write(lambda store: aftermath.end_job(store, key, uid, why, now))

    def _look_up(self) -> None:
        self._charge.claim.refresh()
        self._news.set()

    async def _run_pods(self) -> None:
        """Have a kubelet as soon as there is a runtime, and tell it what that one tells."""
        # In a thread, since asking NVIDIA's driver for its GPUs takes a second.
        found = await asyncio.to_thread(machine, os.environ)
        self._plane.node = node = node_of(found, self._charge.settings)
        self._plane.stir()
        # Shielded: who is cancelled here must not leave a runtime behind that nobody closes.
        try:
            runtime = await asyncio.shield(self._launching)
        except RuntimeFailed as failure:
            self._end_job("CannotRun", f"no pods can be run on this machine: {failure}")
            return
        job = self.job
        typed = versions.job(job) if job is not None else None
        if not isinstance(typed, MPIJob):
            return
        runtime.expect(hosts_of(typed))
        around = surroundings(typed, self._charge.settings, found, runtime, self._home.mpis)
        ground = Ground(node, self._charge.folder, around)
        duties = Duties(self._plane.is_mine, self._plane.stir, self._end_job)
        kubelet = Kubelet(runtime, ground, duties)
        self._plane.kubelet = kubelet
        self._plane.stir()
        try:
            await kubelet.attend(self._home.path)
        except RuntimeFailed as failure:
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
        with contextlib.suppress(RuntimeFailed):
            await (await self._launching).close()
        if self._plane.kubelet is not None:
            self._plane.kubelet.lose_all("ended with its job")
            self._plane.round()
        if self.job is None:
            with contextlib.suppress(JournalBroken):
                aftermath.forget(self._journal, self._charge.folder)
        self._charge.claim.release()


async def _first_done(wanted: asyncio.Task[None], working: set[asyncio.Task[None]]) -> None:
    """Return when one task is done; raise what makes another fail before."""
    left = {wanted, *working}
    while not wanted.done():
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


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
