"""The engine on the small cluster: jobs come, and their children follow."""

import asyncio

import pytest

from mpijob import ports
from mpijob.cluster.store import Store
from mpijob.core.config import Config
from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref
from mpijob.engine.control import Bounds, Engine, Outside
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON

CHILDREN = [
    "ConfigMap pi-config",
    "Job pi-launcher",
    "Pod pi-worker-0",
    "Pod pi-worker-1",
    "Secret pi-ssh",
    "Secret pi-ssh-host",
    "Service pi",
]


class SameKeys:
    """Draws keys that are no secret: the engine must not care what is in them."""

    async def draw(self, content, key_type, job):
        return {"ssh-privatekey": b"private", "ssh-publickey": b"public"}


class Flaky(MemoryObjects):
    """An API server that refuses a few writes of the kinds it is told to, and then no more."""

    def __init__(self, store, now, *failures):
        super().__init__(store, now)
        self.failures = list(failures)

    async def create(self, manifest):
        for failure in self.failures:
            kind, error = failure
            if manifest["kind"] == kind:
                self.failures.remove(failure)
                raise error
        return await super().create(manifest)


def manifest(name="pi", workers=2, **spec):
    template = {"spec": {"containers": [{"name": "mpi", "image": "x"}]}}
    replicas = {
        "Launcher": {"replicas": 1, "template": template},
        "Worker": {"replicas": workers, "template": template},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"mpiReplicaSpecs": replicas, **spec},
    }


def children(store, name="pi"):
    kinds = (Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.JOB, Kind.POD)
    found = [(kind, row["metadata"]["name"]) for kind in kinds for row in store.list(kind)]
    return sorted(f"{kind} {child}" for kind, child in found if child.startswith(name))


async def until(objects, holds):
    """Wait for the write after which `holds()` is so."""
    if holds():
        return
    async with asyncio.timeout(20):
        async for _ in merged(objects):
            if holds():
                return


async def merged(objects):
    """Yield at every write of any kind."""
    told = -1
    news = asyncio.Event()
    objects._news.add(news)
    try:
        while True:
            if objects.store.version != told:
                told = objects.store.version
                yield told
            else:
                news.clear()
                await news.wait()
    finally:
        objects._news.discard(news)


def play(scene, *failures, only=None):
    """Run an engine over an empty cluster while `scene(objects)` plays; return what it returns."""

    async def whole():
        objects = Flaky(Store(), lambda: NOON, *failures)
        engine = Engine(Outside(objects, SameKeys(), lambda: NOON), Config(), only=only)
        running = asyncio.create_task(engine.run())
        try:
            return await scene(objects)
        finally:
            running.cancel()
            await asyncio.wait([running])

    return asyncio.run(whole())


def test_a_job_gets_its_children():
    async def scene(objects):
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        return children(objects.store)

    assert play(scene) == CHILDREN


def test_a_job_that_was_there_before_gets_its_children_too():
    async def scene(objects):
        await objects.create(manifest())
        engine = Engine(Outside(objects, SameKeys(), lambda: NOON), Config())
        late = asyncio.create_task(engine.run())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        late.cancel()
        await asyncio.wait([late])
        return children(objects.store)

    assert play(scene, only=Key("default", "nobody")) == CHILDREN


FAILURES = {
    "a conflict is looked at again": ("Pod", "Conflict"),
    "no answer is looked at again": ("Service", "Unreachable"),
    "a refusal is tried again": ("Job", "Refused"),
}


@pytest.mark.parametrize(("kind", "error"), FAILURES.values(), ids=FAILURES)
def test_a_failed_write_does_not_end_it(kind, error):
    async def scene(objects):
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        return children(objects.store)

    assert play(scene, (kind, getattr(ports, error)("not now"))) == CHILDREN


def events(store):
    return [(row["reason"], row["type"]) for row in store.list(Kind.EVENT)]


def test_a_name_that_is_taken_for_a_moment_is_no_failure_of_the_job_defect_15():
    async def scene(objects):
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        return events(objects.store)

    assert play(scene, ("Pod", ports.Conflict("already exists"))) == [("MPIJobCreated", "Normal")]


def test_a_refusal_is_told_to_the_user():
    async def scene(objects):
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        return events(objects.store)

    assert ("MPIJobFailed", "Warning") in play(scene, ("Pod", ports.Refused("over quota")))


def test_a_job_of_an_odd_shape_harms_no_other():
    async def scene(objects):
        await objects.create(manifest("odd", slotsPerWorker="many"))
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        return children(objects.store, "odd")

    assert play(scene) == []


def test_an_invalid_job_says_so_in_its_status():
    async def scene(objects):
        await objects.create(manifest("odd", mpiImplementation="LAM"))
        ref = Ref(Kind.MPI_JOB, "default", "odd")
        await until(objects, lambda: "status" in objects.store.get(ref))
        return objects.store.get(ref)["status"]["conditions"][0]["type"]

    assert play(scene) == "Invalid"


def test_a_suspended_job_keeps_no_workers():
    async def scene(objects):
        await objects.create(manifest())
        await until(objects, lambda: len(children(objects.store)) == len(CHILDREN))
        ref = Ref(Kind.MPI_JOB, "default", "pi")
        await objects.patch(ref, {"spec": {"runPolicy": {"suspend": True}}})
        await until(objects, lambda: not objects.store.list(Kind.POD))
        return objects.store.get(Ref(Kind.JOB, "default", "pi-launcher"))["spec"]["suspend"]

    assert play(scene) is True


def test_of_a_hundred_jobs_at_which_there_is_nothing_to_do_each_look_gives_others_a_turn():
    elsewhere = {"managedBy": "kueue.x-k8s.io/multikueue"}

    async def scene():
        objects = MemoryObjects(Store(), lambda: NOON)
        for number in range(100):
            await objects.create(manifest(f"pi-{number}", runPolicy=elsewhere))
        engine = Engine(Outside(objects, SameKeys(), lambda: NOON), Config(), bounds=Bounds(jobs=1))
        running = asyncio.create_task(engine.run())
        await engine.synced.wait()
        turns = 0
        while engine.tally.looks["done"] < 100:
            turns += 1
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        return turns

    assert asyncio.run(scene()) >= 100


class Slow(MemoryObjects):
    """Makes workers of `large` one by one, as it is let, and of `small` nothing until it may."""

    def __init__(self):
        super().__init__(Store(), lambda: NOON)
        self.let, self.small_may = asyncio.Semaphore(0), asyncio.Event()
        self.under_way = self.small_asked = 0
        self._asked = asyncio.Event()

    async def create(self, manifest):
        name = manifest["metadata"]["name"]
        if name.startswith("small-"):
            self.small_asked += 1
            self._asked.set()
            await self.small_may.wait()
        if name.startswith("large-worker-"):
            self.under_way += 1
            self._asked.set()
            await self.let.acquire()
            self.under_way -= 1
            self._asked.set()
        return await super().create(manifest)

    def let_be_made(self, count):
        for _ in range(count):
            self.let.release()

    async def until(self, holds):
        async with asyncio.timeout(20):
            while not holds():
                self._asked.clear()
                await self._asked.wait()


def test_a_large_job_makes_room_while_another_is_at_work_and_takes_it_again():
    async def scene():
        objects = Slow()
        engine = Engine(
            Outside(objects, SameKeys(), lambda: NOON), Config(), bounds=Bounds(steps=64)
        )
        running = asyncio.create_task(engine.run())
        await objects.create(manifest("large", workers=200))
        await objects.until(lambda: objects.under_way == 64)
        await objects.create(manifest("small"))
        await objects.until(lambda: objects.small_asked)
        objects.let_be_made(60)
        await objects.until(lambda: objects.under_way == 16)
        objects.small_may.set()
        await until(objects, lambda: len(children(objects.store, "small")) == len(CHILDREN))
        # Whenever a step has ended it asks how many it may have.
        objects.let_be_made(1)
        await objects.until(lambda: objects.under_way == 64)
        running.cancel()
        await asyncio.wait([running])
        return len([name for name in children(objects.store, "large") if "worker" in name])

    assert asyncio.run(scene()) == 61
