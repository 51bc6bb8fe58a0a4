"""What is seen of jobs: those that are asked for, in order, with their children."""

import asyncio

import pytest

from mpijob.cluster.store import Store
from mpijob.core.job import Key
from mpijob.core.plan import Kind
from mpijob.engine.sight import EVERYWHERE, Scope, Sight
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON

PLACES = [("b", "pi"), ("a", "tau"), ("a", "pi")]


def seen(look):
    """Return what a look at the jobs of PLACES and a worker of the first shows."""

    async def whole():
        sight = Sight()
        sight.objects = MemoryObjects(Store(), lambda: NOON)
        template = {"spec": {"containers": [{"name": "mpi", "image": "x"}]}}
        for namespace, name in PLACES:
            job = await sight.objects.create(
                {
                    "apiVersion": "kubeflow.org/v2beta1",
                    "kind": "MPIJob",
                    "metadata": {"namespace": namespace, "name": name},
                    "spec": {"mpiReplicaSpecs": {"Worker": {"replicas": 1, "template": template}}},
                }
            )
            if (namespace, name) == PLACES[0]:
                owner = {"kind": "MPIJob", "name": name, "uid": job["metadata"]["uid"]}
                references = [{"apiVersion": job["apiVersion"], "controller": True, **owner}]
                metadata = {"namespace": namespace, "name": "pi-worker-0"}
                worker = {**metadata, "ownerReferences": references}
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": worker, **template}
                await sight.objects.create(pod)
        return await look(sight)

    return asyncio.run(whole())


LISTS = {
    "all": (EVERYWHERE, [("a", "pi"), ("a", "tau"), ("b", "pi")]),
    "those of one namespace": (Scope("a"), [("a", "pi"), ("a", "tau")]),
}


@pytest.mark.parametrize(("scope", "want"), LISTS.values(), ids=LISTS)
def test_jobs_are_listed_in_order(scope, want):
    found = seen(lambda sight: sight.listed(Kind.MPI_JOB, scope))
    assert [(job["metadata"]["namespace"], job["metadata"]["name"]) for job in found] == want


def test_a_job_is_seen_with_its_own_children():
    observed = seen(lambda sight: sight.observed(Key("b", "pi")))
    assert [pod.name for pod in observed.workers] == ["pi-worker-0"]


def test_a_namesake_s_children_are_not_seen():
    assert seen(lambda sight: sight.observed(Key("a", "pi"))).workers == ()


def test_nothing_is_seen_of_a_job_that_is_gone():
    assert seen(lambda sight: sight.observed(Key("a", "gone"))) is None
