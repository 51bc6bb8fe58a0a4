"""The jobs of executions on a cluster: made once, told of as Flyte reads it, and deleted."""

from datetime import timedelta

import pytest

from mpijob.api.flyte import FlytePhase
from mpijob.core.config import Config
from mpijob.core.job import Key
from mpijob.core.plan import Kind
from mpijob.flyte import jobs, translate
from mpijob.flyte.template import Execution, read
from mpijob.ports import Unserved
from mpijob.testing.small_cluster import EPOCH, played

KEY = Key("default", "f1-n0-0")
TEMPLATE = read(
    {
        "taskTypeVersion": 1,
        "custom": {"workerReplicas": {"replicas": 2.0}},
        "container": {"image": "i", "args": ["mpirun", "-np", "2", "python", "train.py"]},
    }
)
JOB = translate.job(TEMPLATE, Execution(KEY.name, KEY.namespace, id=("f1", "p", "d")))


def test_a_job_is_made_once_however_often_flyte_asks():
    async def scene(cluster):
        await jobs.create(cluster.objects, JOB)
        await jobs.create(cluster.objects, JOB)
        return cluster.names(Kind.MPI_JOB)

    assert played(scene) == [KEY.name]


def test_a_job_that_is_gone_has_failed():
    async def scene(cluster):
        await jobs.create(cluster.objects, JOB)
        await jobs.delete(cluster.objects, KEY)
        await jobs.delete(cluster.objects, KEY)
        return jobs.told(await jobs.found(cluster.objects, KEY), cluster.now())

    assert played(scene) == (FlytePhase.FAILED, "the MPIJob was deleted")


def life(*, well):
    """What is told of a job from its first moment to its last, under our operator."""

    async def scene(cluster):
        said = []

        async def look():
            said.append(jobs.told(await jobs.found(cluster.objects, KEY), cluster.now()))

        await jobs.create(cluster.objects, JOB)
        await look()
        operator = cluster.operate(Config(kubectl_delivery_image="example/kubectl"))
        await cluster.rest()
        await look()
        cluster.end(f"{KEY.name}-launcher", well=well)
        await cluster.rest()
        await look()
        operator.cancel()
        return said

    return played(scene)


RUNNING = [
    (FlytePhase.QUEUED, "MPIJobCreated"),
    (FlytePhase.RUNNING, "MPIJobRunning - MPIJob default/f1-n0-0 is running."),
]


def test_a_job_that_ends_well_is_told_from_its_first_moment_to_its_last():
    end = "MPIJobSucceeded - MPIJob default/f1-n0-0 successfully completed."
    assert life(well=True) == [*RUNNING, (FlytePhase.SUCCEEDED, end)]


def test_a_job_that_fails_is_told_with_its_reason():
    assert [phase for phase, _ in life(well=False)] == [
        FlytePhase.QUEUED,
        FlytePhase.RUNNING,
        FlytePhase.FAILED,
    ]


def as_go_writes_it(job):
    """Return a job with what Go writes of a value that has none."""
    roles = {}
    for name, role in job["spec"]["mpiReplicaSpecs"].items():
        metadata = {**role["template"]["metadata"], "creationTimestamp": None}
        roles[name] = {**role, "template": {**role["template"], "metadata": metadata}}
    metadata = {**job["metadata"], "creationTimestamp": None}
    spec = {**job["spec"], "mpiReplicaSpecs": roles}
    return {**job, "metadata": metadata, "spec": spec, "status": {"conditions": None}}


def test_what_go_writes_beside_a_job_is_no_obstacle():
    async def scene(cluster):
        await jobs.create(cluster.objects, as_go_writes_it(JOB))
        operator = cluster.operate(Config(kubectl_delivery_image="example/kubectl"))
        await cluster.rest()
        operator.cancel()
        return jobs.told(await jobs.found(cluster.objects, KEY), cluster.now())[0]

    assert played(scene) is FlytePhase.RUNNING


def made(status):
    created = {"creationTimestamp": "2026-01-01T12:00:00Z"}
    return {"metadata": created, "status": status}


def test_a_job_that_nobody_begins_has_failed_after_a_minute():
    phase, said = jobs.told(made({}), EPOCH + timedelta(seconds=61))
    assert (phase, "no operator has begun" in said) == (FlytePhase.FAILED, True)


def test_what_nobody_can_read_is_waited_for():
    row = {"type": "Created", "status": "False"}
    started = {"startTime": "2026-01-01T12:00:00Z", "conditions": [row]}
    assert jobs.told(made(started), EPOCH) == (FlytePhase.RUNNING, "no condition is true")


def test_a_cluster_without_v1_is_told_what_to_do():
    async def scene(cluster):
        async def refuse(_):
            raise Unserved("the server could not find the requested resource")

        cluster.objects.create = refuse
        await jobs.create(cluster.objects, JOB)

    with pytest.raises(jobs.NotServed, match="mpijob install --serve v1"):
        played(scene)
