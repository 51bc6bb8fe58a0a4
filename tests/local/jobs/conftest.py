"""A machine to run jobs on: a home of its own, and jobs that need no MPI."""

import asyncio
import os
import select
import uuid
from contextlib import aclosing
from pathlib import Path

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.local import backend
from mpijob.local.machine import namespaces_refusal
from mpijob.local.settings import Settings, inherited
from mpijob.ports import ChangeType

NAMESPACES_REFUSED = namespaces_refusal()
MODES = ["plain"] if NAMESPACES_REFUSED else ["namespaces", "plain"]
#: Longer than anything here takes, so that a hung test says where it hung.
PATIENCE_S = 60


class Place:
    """One home, and what the tests of this folder do with it."""

    def __init__(self, folder, mode):
        self.folder = folder
        self.mode = mode
        #: A variable that every process of the jobs made here carries.
        self.mark = f"TEST_MARK={uuid.uuid4()}"

    @property
    def environment(self):
        return {**os.environ, "MPIJOB_HOME": str(self.folder / "home")}

    def settings(self, **fields):
        name, value = self.mark.split("=")
        environment = {**inherited(os.environ), name: value}
        return Settings(folder=str(self.folder), environment=environment, pods=self.mode, **fields)

    def play(self, scenario):
        """Play a scenario, a coroutine function of an open backend; return what it returned."""

        async def whole():
            async with asyncio.timeout(PATIENCE_S), backend.opened(self.environment) as local:
                return await scenario(local)

        return asyncio.run(whole())

    def run(self, manifest, **fields):
        """Run a job to its end; return it as it then is."""

        async def scenario(local):
            supervisor = local.create(manifest, self.settings(**fields))
            await supervisor.run()
            return supervisor.job

        return self.play(scenario)

    def job(self, name="pi"):
        """Return a job as the next command sees it."""

        async def scenario(local):
            return await local.objects.get(Ref(Kind.MPI_JOB, "default", name))

        return self.play(scenario)

    @staticmethod
    def container(name, script="", **fields):
        """Return a container that runs a shell script; without one it is a host for ranks."""
        command = {"command": ["sh", "-c", script]} if script else {}
        return {"name": name, "image": "example/none:1", **command, **fields}

    def mpijob(self, script="true", workers=0, *, pod=None, worker=None, **spec):
        """Return a job whose launcher runs a shell script, with so many workers.

        `pod` and `worker` are added to the launcher's and the workers' pod specs.
        """
        restart = spec.pop("restart", "Never")
        launcher = {"containers": [self.container("mpi", script)], **(pod or {})}
        replicas = {
            "Launcher": {"replicas": 1, "restartPolicy": restart, "template": {"spec": launcher}}
        }
        if workers:
            hosts = {"containers": [self.container("mpi")], **(worker or {})}
            replicas["Worker"] = {"replicas": workers, "template": {"spec": hosts}}
        policy = {"backoffLimit": 0, **spec.pop("runPolicy", {})}
        return {
            "apiVersion": "kubeflow.org/v2beta1",
            "kind": "MPIJob",
            "metadata": {"name": spec.pop("name", "pi"), "namespace": "default"},
            "spec": {**spec, "runPolicy": policy, "mpiReplicaSpecs": replicas},
        }

    @staticmethod
    async def until(objects, kind, wanted):
        """Return the first object of a kind that is as wanted, as soon as there is one."""
        async with aclosing(objects.watch(kind)) as changes:
            async for change in changes:
                told = change.type not in (ChangeType.SYNCED, ChangeType.DELETED)
                if told and wanted(change.manifest):
                    return change.manifest
        raise AssertionError("a watch does not end")

    async def pod_until(self, objects, role, wanted):
        """Return the first pod of a role that is as wanted."""
        label = "training.kubeflow.org/job-role"
        return await self.until(
            objects,
            Kind.POD,
            lambda pod: pod["metadata"]["labels"].get(label) == role and wanted(pod),
        )

    @staticmethod
    async def log_of(local, pod, **fields):
        """Return a pod's whole log."""
        ref = Ref(Kind.POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return b"".join([piece async for piece in local.logs.read(ref, **fields)]).decode()

    def output(self, manifest, **fields):
        """Run a job to its end; return what its launcher wrote."""

        async def scenario(local):
            supervisor = local.create(manifest, self.settings(**fields))
            running = asyncio.create_task(supervisor.run())
            pod = await self.pod_until(local.objects, "launcher", bool)
            log = await self.log_of(local, pod, follow=True)
            await running
            return log

        return self.play(scenario)

    @staticmethod
    def ends(job):
        """Return how a job has ended: its terminal conditions that are true, with reasons."""
        return [
            (row["type"], row["reason"])
            for row in job.get("status", {}).get("conditions", ())
            if row["type"] in ("Succeeded", "Failed") and row["status"] == "True"
        ]

    def processes(self):
        """Return the processes that carry the mark of this place, but for this one."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    marks = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if self.mark.encode() in marks:
                    found.append(int(entry.name))
        return found

    def until_gone(self, processes):
        """Return when these processes are gone, told so by the kernel."""
        for process in processes:
            try:
                handle = os.pidfd_open(process)
            except ProcessLookupError:
                continue
            try:
                assert select.select([handle], [], [], PATIENCE_S)[0], f"{process} lives on"
            finally:
                os.close(handle)


@pytest.fixture(params=MODES)
def place(request, tmp_path):
    """A fresh home, once for each way in which pods can run here."""
    found = Place(tmp_path, request.param)
    yield found
    assert found.processes() == []


@pytest.fixture
def plain_place(tmp_path):
    """A fresh home for what does not depend on how pods run."""
    found = Place(tmp_path, "plain")
    yield found
    assert found.processes() == []
