"""A job on a cluster that somebody stays with: until it ends, is deleted, or is given up."""

import asyncio

import pytest

from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref
from mpijob.engine.sight import Sight
from mpijob.kube.sight import ClusterRun
from mpijob.ports import NotFound
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON

JOB = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "metadata": {"namespace": "default", "name": "pi"},
    "spec": {"mpiReplicaSpecs": {}},
}
REF = Ref(Kind.MPI_JOB, "default", "pi")


def stayed(happens):
    """Return how a run saw its job last, whether it deleted it, and whether the job is there."""

    async def whole():
        sight = Sight()
        sight.objects = MemoryObjects(Store(), lambda: NOON)
        run = ClusterRun(sight, await sight.objects.create(JOB))
        async with asyncio.timeout(20):
            staying = asyncio.create_task(run.run())
            await asyncio.sleep(0)
            await happens(sight.objects, run)
            await staying
        try:
            await sight.objects.get(REF)
        except NotFound:
            return run.job is not None, run.is_deleted, False
        return run.job is not None, run.is_deleted, True

    return asyncio.run(whole())


def told(condition):
    """Return the scene in which the job's status gets a condition."""

    async def scene(objects, _):
        row = {"type": condition, "status": "True"}
        await objects.patch(REF, {"status": {"conditions": [row]}}, subresource="status")

    return scene


async def given_up(_, run):
    run.interrupt("Interrupted", "nobody waits any more")


async def deleted(objects, _):
    await objects.delete(REF)


async def made_anew(objects, _):
    await objects.delete(REF)
    await objects.create(JOB)


SCENES = {
    "ends when the job has succeeded": (told("Succeeded"), (True, False, True)),
    "ends when the job has failed": (told("Failed"), (True, False, True)),
    "ends when the job is invalid": (told("Invalid"), (True, False, True)),
    "ends when others delete the job": (deleted, (False, False, False)),
    "leaves a namesake alone that came after it": (made_anew, (False, False, True)),
    "that is given up deletes the job": (given_up, (True, True, False)),
}


@pytest.mark.parametrize(("happens", "want"), SCENES.values(), ids=SCENES)
def test_a_run(happens, want):
    assert stayed(happens) == want
