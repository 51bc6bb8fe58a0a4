"""The local backend as a command uses it: open it, make a job, run it or hand it on.

How it is used, from asyncio::

    async with backend.opened() as local:
        local.warm(settings)                            # optional: saves the start some time
        supervisor = local.create(manifest, settings)   # raises Conflict, Refused
        running = asyncio.create_task(supervisor.run()) # returns when all of it has ended
        async for change in local.objects.watch(Kind.MPI_JOB): ...
        async for text in local.logs.read(pod, follow=True): ...
        await running

`supervisor.catch_signals()` makes Ctrl-C end the job as failed (`Interrupted`), and a second one
kill it. `local.detach(manifest, settings)` makes the job and leaves it to a process of its own.

Opening tells the truth first: a job whose supervisor is gone has failed, and what it left is ended.
After a change of a job (resumed, scaled, deleted), `attend` sees to it that somebody acts on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec.structs import replace

from mpijob.cluster import dice
from mpijob.cluster.owners import controller_uid
from mpijob.cluster.store import Store
from mpijob.cluster.times import stamp
from mpijob.core import names
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local import aftermath, claim, home
from mpijob.local.arrangement import MPI_VARIABLE, adapted
from mpijob.local.home import Home, JobFolder
from mpijob.local.journal import Journal, JournalBroken
from mpijob.local.logs import LocalLogs
from mpijob.local.objects import DICE, LocalObjects
from mpijob.local.runtime import Runtime, RuntimeFailed
from mpijob.local.settings import Settings, read
from mpijob.local.supervisor import Charge, Supervisor
from mpijob.local.sweep import sweep

#: Why a job has failed whose supervisor is gone.
LOST = "SupervisorLost"


class Backend:
    """The jobs of one user on this machine."""

    def __init__(self, place: Home, journal: Journal) -> None:
        """Not for callers: see `opened`."""
        self.home = place
        self.journal = journal
        self.objects = LocalObjects(journal)
        self.logs = LocalLogs(place, journal)
        self._launching: asyncio.Task[Runtime] | None = None

    def now(self) -> datetime:
        """Return the time by which jobs are stamped: UTC, whole seconds."""
        return self.journal.now()

    def warm(self, settings: Settings) -> None:
        """Begin to start the process that pods will be children of, while other things go on."""
        if self._launching is None:
            launch = Runtime.launch(self.home.path, mode=settings.pods)
            self._launching = asyncio.create_task(launch)

    def create(self, manifest: Manifest, settings: Settings) -> Supervisor:
        """Make a job, and return who runs it in this process.

        Raises:
            Conflict: there is a job of that name.
            Refused: it breaks rules; the message says all of them.
            Unreachable: it could not be recorded.

        """
        charge = self._charge(manifest, settings)
        charge.claim.sign()
        self.warm(settings)
        launching, self._launching = self._launching, None
        assert launching is not None
        return Supervisor(self.journal, self.home, charge, launching)

    def detach(self, manifest: Manifest, settings: Settings) -> Manifest:
        """Make a job that a process of its own runs, and return it. Raises as `create` does."""
        charge = self._charge(manifest, settings)
        self._hand_on(charge)
        found = self.journal.store.get(charge.ref)
        assert found is not None
        return found

    def supervisor_pid(self, key: Key) -> int | None:
        """Return the process that runs a job now, None where none does."""
        job = self.journal.store.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        if job is None:
            return None
        folder = self.home.job(key, job["metadata"]["uid"])
        held = self._claimed(folder)
        if held is not None:
            held.release()
            return None
        owner = claim.owner(folder.lock)
        return owner.pid if owner is not None else None

    async def attend(self, key: Key) -> None:
        """See to it that somebody acts on a job after a change of it.

        Where a supervisor runs it, that one does. A job that waits to go on gets one of its own;
        what is left of a deleted one is removed.
        """
        job = self.journal.store.get(Ref(Kind.MPI_JOB, key.namespace, key.name))
        uid = job["metadata"]["uid"] if job is not None else ""
        for folder in self._folders(key):
            if uid and folder.path == self.home.job(key, uid).path:
                continue
            held = self._claimed(folder)
            if held is not None:
                self._forget(key, folder)
                held.release()
        if job is None:
            return
        folder = self.home.job(key, uid).made()
        held = self._claimed(folder)
        if held is None:
            return
        if aftermath.is_suspended(job):
            await aftermath.tidy(self.objects, key)
            held.release()
        elif not aftermath.may_rest(job):
            self._hand_on(Charge(key, uid, folder, held, read(folder.settings)))
        else:
            await aftermath.tidy(self.objects, key)
            held.release()

    async def tell_the_truth(self) -> None:
        """Bring the journal in line with what is: supervisors may have died since."""
        sweep(self.home.path)
        for job in self.journal.store.list(Kind.MPI_JOB):
            key = Key(job["metadata"]["namespace"], job["metadata"]["name"])
            if aftermath.is_settled(self.journal.store, job, self.now()):
                continue
            folder = self.home.job(key, job["metadata"]["uid"])
            if not folder.path.exists():
                folder.made()
            held = self._claimed(folder)
            if held is not None:
                await self._bury(key, job, folder)
                held.release()

    async def close(self) -> None:
        """Let go of everything; supervisors must have ended."""
        launching, self._launching = self._launching, None
        if launching is not None:
            with contextlib.suppress(RuntimeFailed):
                await (await launching).close()
        self.journal.close()

    # How it is done.

    def _charge(self, manifest: Manifest, settings: Settings) -> Charge:
        """Store a new job; its claim is taken before anybody can see it unclaimed."""
        if not settings.mpi:
            settings = replace(settings, mpi=os.environ.get(MPI_VARIABLE, ""))
        manifest = adapted(manifest, settings.mpi, self.home.mpis)
        uid = dice.uid(DICE)
        metadata = manifest.get("metadata") or {}
        suffix = dice.suffix(DICE)
        name = metadata.get("name") or f"{metadata.get('generateName', '')}{suffix}"
        key = Key(metadata.get("namespace") or "default", name)
        folder = self.home.job(key, uid)
        held = None
        try:
            held = self._claimed(folder.made())
            settings.write(folder.settings)
            now = self.now()
            full = {**manifest, "metadata": {**metadata, "namespace": key.namespace, "name": name}}
            self.objects.written(lambda store: store.create(full, now=now, uid=uid))
        except BaseException as failure:
            if held is not None:
                held.release()
            folder.remove()
            if isinstance(failure, OSError):
                told = f"cannot keep the job in {folder.path}: {failure.strerror}"
                raise JournalBroken(told) from failure
            raise
        assert held is not None
        return Charge(key, uid, folder, held, settings)

    def _claimed(self, folder: JobFolder) -> claim.Claim | None:
        return claim.claimed(folder.lock)

    def _folders(self, key: Key) -> Iterator[JobFolder]:
        """Yield the folders of all jobs that ever had this name."""
        for path in sorted((self.home.jobs / key.namespace).glob(f"{key.name}-????????")):
            yield JobFolder(path)

    def _hand_on(self, charge: Charge) -> None:
        """Start a process that runs the job; it has the claim from its first moment."""
        # The shell is gone at once, so the process is nobody's child whom this one would wait for.
        command = [
            "/bin/sh",
            "-c",
            '"$@" &',
            "mpijob",
            sys.executable,
            "-m",
            "mpijob.local.supervisor",
            str(self.home.path),
            charge.key.namespace,
            charge.key.name,
            charge.uid,
            str(charge.claim.descriptor),
        ]
        with open(charge.folder.supervisor_log, "ab") as log:
            subprocess.run(
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=[charge.claim.descriptor],
                start_new_session=True,
            )
        charge.claim.release()

    async def _bury(self, key: Key, job: Manifest, folder: JobFolder) -> None:
        """A job's supervisor is gone: say so, and do what is left to do."""
        why = LOST, _obituary(claim.owner(folder.lock))
        uid, now = job["metadata"]["uid"], self.now()

        def action(store: Store) -> None:
            launcher = store.get(Ref(Kind.JOB, key.namespace, names.launcher(key.name)))
            owners = {uid}
            if launcher is not None and controller_uid(launcher) == uid:
                owners.add(launcher["metadata"]["uid"])
            lost = aftermath.lose_pods(store, owners, why, now)
            if lost or not aftermath.is_suspended(job):
                aftermath.end_job(store, key, uid, why, now)

        self.journal.write(action)
        await aftermath.tidy(self.objects, key)

    def _forget(self, key: Key, folder: JobFolder) -> None:
        """A deleted job's supervisor is gone: its pods are too, and so goes its folder."""
        now, why = self.now(), (LOST, "the job was deleted")
        marks = {path.name[-8:] for path in folder.pods.glob("*")}

        def action(store: Store) -> None:
            owners = {
                controller_uid(pod)
                for pod in store.list(Kind.POD, key.namespace)
                if pod["metadata"]["uid"][:8] in marks
            }
            aftermath.lose_pods(store, owners, why, now)
            aftermath.settle(store, key, now)

        self.journal.write(action)
        aftermath.forget(self.journal, folder)


@asynccontextmanager
async def opened(environment: Mapping[str, str] = os.environ) -> AsyncIterator[Backend]:
    """Open the home of this user, with what is told there brought in line with what is.

    Raises:
        HomeUnusable: the folder will not do.
        Unreachable: the journal cannot be read.

    """
    place = home.opened(home.home_path(environment, os.uname().nodename))
    journal = Journal(place)
    backend = Backend(place, journal)
    try:
        journal.listen()
        await backend.tell_the_truth()
        yield backend
    finally:
        await backend.close()


def _obituary(owner: claim.Owner | None) -> str:
    """Return what is to be said of a job whose supervisor is gone."""
    if owner is None:
        return "no mpijob runs this job"
    if not owner.is_of_this_boot:
        return f"the machine was restarted while the job ran (last seen at {stamp(owner.seen_at)})"
    return (
        f"mpijob (process {owner.pid}) ended without having finished this job, and every process "
        f"of the job with it (last seen at {stamp(owner.seen_at)})"
    )
