"""A cluster in the middle of mpi-operator's jobs: no label of ours, and nothing but its children.

Children are watched by label, as on a real cluster, so that at first none of them is seen but pods.
"""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from mpijob.core import names
from mpijob.core.config import Config
from mpijob.core.job import Identity, Key
from mpijob.core.plan import Kind, Ref
from mpijob.engine.adoption import adopt
from mpijob.kube import operator
from mpijob.testing.selected import SelectedObjects
from mpijob.testing.small_cluster import played

DATA = Path(__file__).parents[1] / "parity" / "data"
CASES = {
    path.stem: yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted(DATA.glob("*.yaml"))
}
RUNNING = [
    name
    for name, case in CASES.items()
    # Of the many, the recording keeps two pods; the suspended have a story of their own.
    if case["children"] and "running" in case and name != "many"
]
CHILDREN = (Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.JOB, Kind.POD)
API = {
    "service": ("v1", "Service"),
    "config": ("v1", "ConfigMap"),
    "secret": ("v1", "Secret"),
    "launcher": ("batch/v1", "Job"),
}
AT = "2026-01-01T12:00:00Z"


def status_of(moment):
    """The status of a moment as the wire has it, with times."""
    told = moment["status"]
    conditions = [
        {**row, "lastUpdateTime": AT, "lastTransitionTime": AT}
        for row in told.get("conditions", ())
    ]
    counts = {"replicaStatuses": told["replicas"]} if told.get("replicas") else {}
    return {"conditions": conditions, **counts, **dict.fromkeys(told["times"], AT)}


def owned(child, job):
    """A child with the references that the recordings leave out."""
    identity = Identity(Key("default", job["metadata"]["name"]), job["metadata"]["uid"], "1")
    metadata = {
        "namespace": "default",
        **child["metadata"],
        "ownerReferences": [names.owner(identity)],
    }
    return {**{key: value for key, value in child.items() if key != "keys"}, "metadata": metadata}


def loaded(world, name, **run_policy):
    """Load what mpi-operator made of a job, all of it running, and return the job."""
    case = deepcopy(CASES[name])
    written = case["job"]
    policy = {**written["spec"].get("runPolicy", {}), **run_policy}
    job = world.add({**written, "spec": {**written["spec"], "runPolicy": policy}})
    children = case["children"]
    for kind, (version, wire) in API.items():
        child = owned(children[kind], job)
        if kind == "secret":
            child["data"] = dict.fromkeys(children[kind]["keys"], "dGhlaXJz")
        if kind == "launcher":
            limits = {"backoffLimit": policy.get("backoffLimit", 6)}
            ttl = policy.get("ttlSecondsAfterFinished")
            limits |= {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
            child["spec"] = {**child["spec"], **limits}
        world.add({"apiVersion": version, "kind": wire, **child})
    for pod, child in children.get("workers", {}).items():
        made = owned(child, job)
        made["metadata"]["name"] = pod
        world.add({"apiVersion": "v1", "kind": "Pod", **made})
    return job


async def run_until_now(world, name, **run_policy):
    """Load a job and let its cluster come to where the recording was made: all of it runs."""
    job = loaded(world, name, **run_policy)
    await world.rest()
    told = status_of(CASES[name]["running"])
    world.put_status({**world.store.get(ref_of(job)), "status": told})
    return job


def ref_of(job):
    return Ref(Kind.MPI_JOB, "default", job["metadata"]["name"])


async def take_over(world, config=None):
    """Start an operator of ours, as it starts on a cluster."""
    objects = SelectedObjects(world.objects, operator._SELECTORS)
    await adopt(objects, objects)
    return world.operate(config or Config(), objects)


def identities(world):
    """What there is of the job's children, by kind, name and uid."""
    return {
        (kind, child["metadata"]["name"], child["metadata"]["uid"])
        for kind in CHILDREN
        for child in world.store.list(kind)
    }


def told(world, job):
    rows = world.store.get(ref_of(job))["status"]["conditions"]
    return {row["type"] for row in rows if row["status"] == "True"}


@pytest.mark.parametrize("name", RUNNING)
def test_nothing_that_runs_is_made_anew(name):
    async def scene(world):
        await run_until_now(world, name)
        before = identities(world)
        keys = [secret["data"] for secret in world.store.list(Kind.SECRET)]
        await take_over(world)
        await world.rest()
        after = [secret["data"] for secret in world.store.list(Kind.SECRET)]
        return before ^ identities(world), after == keys, world.keys.drawn_count

    assert played(scene) == (set(), True, 0)


@pytest.mark.parametrize("name", RUNNING)
def test_every_child_is_adopted(name):
    async def scene(world):
        await run_until_now(world, name)
        await take_over(world)
        await world.rest()
        return [
            child["metadata"]["name"]
            for kind in CHILDREN[:-1]
            for child in world.store.list(kind)
            if names.CHILD_LABEL not in child["metadata"]["labels"]
        ]

    assert played(scene) == []


@pytest.mark.parametrize("well", [True, False])
@pytest.mark.parametrize("name", RUNNING)
def test_every_job_ends_as_its_launcher_does(name, well):
    async def scene(world):
        job = await run_until_now(world, name, backoffLimit=0)
        await take_over(world)
        await world.rest()
        launcher = f"{job['metadata']['name']}-launcher"
        for _ in range(8):
            world.end(launcher, well=well)
            await world.rest()
        return told(world, job)

    end = "Succeeded" if well else "Failed"
    assert played(scene) == {"Created", end}


def ended_meanwhile(**run_policy):
    """The end of a job whose launcher succeeded while nobody looked, and whose clock ran on."""

    async def scene(world):
        job = await run_until_now(world, "plain", **run_policy)
        world.end("plain-launcher")
        await world.rest(at_least_s=120)
        await take_over(world)
        await world.rest()
        return told(world, job)

    return played(scene)


MEANWHILE = {
    "a job without limits": {},
    "a job whose deadline has passed since": {"activeDeadlineSeconds": 60},
}


@pytest.mark.parametrize("policy", MEANWHILE.values(), ids=MEANWHILE)
def test_an_end_that_nobody_saw_is_told(policy):
    assert ended_meanwhile(**policy) == {"Created", "Succeeded"}


def test_a_time_to_live_takes_no_end_with_it():
    """mpi-operator leaves it to the Job controller, which may be faster than whoever looks."""

    async def scene(world):
        job = await run_until_now(world, "plain", ttlSecondsAfterFinished=0)
        await take_over(world)
        await world.rest()
        world.end("plain-launcher")
        # Its Job ends, and would go, before anybody else has had a turn.
        world.tick()
        world.tick()
        await world.rest()
        left = [f"{kind} {name}" for kind, name, _ in sorted(identities(world))]
        return told(world, job), left

    assert played(scene) == ({"Created", "Succeeded"}, [])


def finished(policy, **run_policy):
    """What is left of a job that had ended before we came, and what it says."""

    async def scene(world):
        job = await run_until_now(world, "plain", cleanPodPolicy=policy, **run_policy)
        world.end("plain-launcher")
        await world.rest()
        world.put_status(
            {
                **world.store.get(ref_of(job)),
                "status": status_of(CASES["plain"]["finished"]),
            }
        )
        await take_over(world)
        await world.rest(at_least_s=60)
        return sorted(
            f"{kind} {name.partition('-launcher-')[0]}" for kind, name, _ in identities(world)
        )

    return played(scene)


REST = ["ConfigMap plain-config", "Job plain-launcher", "Secret plain-ssh", "Service plain"]
POLICIES = {
    "none": (
        "None",
        {},
        [*REST[:2], "Pod plain", "Pod plain-worker-0", "Pod plain-worker-1", *REST[2:]],
    ),
    "all": ("All", {}, [*REST[:2], "Pod plain", *REST[2:]]),
    "running": ("Running", {}, [*REST[:2], "Pod plain", *REST[2:]]),
    "a time to live": ("None", {"ttlSecondsAfterFinished": 30}, []),
}


@pytest.mark.parametrize(("policy", "limits", "left"), POLICIES.values(), ids=POLICIES)
def test_a_job_that_had_ended_is_cleaned_up_as_it_says(policy, limits, left):
    assert finished(policy, **limits) == left


def test_a_worker_that_dies_after_us_is_replaced_under_a_launcher_that_is_held():
    async def scene(world):
        job = await run_until_now(world, "plain")
        before = {name: uid for kind, name, uid in identities(world) if kind is Kind.POD}
        world.end("plain-worker-1", well=False)
        await take_over(world)
        await world.rest()
        after = {name: uid for kind, name, uid in identities(world) if kind is Kind.POD}
        kept = [
            name for name in ("plain-worker-0", "plain-worker-1") if before[name] == after[name]
        ]
        launchers = [{n for n in pods if "launcher" in n} for pods in (before, after)]
        status = world.store.get(ref_of(job))["status"]
        return kept, launchers[0] & launchers[1], status.get("restarts")

    assert played(scene) == (["plain-worker-0"], set(), 1)


def test_an_evicted_job_that_mpi_operator_left_running_is_brought_to_its_end():
    """It was told to have failed, without a time: nothing was cleaned up (defect 9)."""
    row = {"type": "Failed", "status": "True", "reason": "MPIJobEvicted", "message": "1/2"}
    failed = {"conditions": [{**row, "lastUpdateTime": AT, "lastTransitionTime": AT}]}

    async def scene(world):
        job = await run_until_now(world, "plain", cleanPodPolicy="All")
        world.put_status({**world.store.get(ref_of(job)), "status": failed})
        await take_over(world)
        await world.rest()
        ended = "completionTime" in world.store.get(ref_of(job))["status"]
        return ended, told(world, job), world.names(Kind.POD)

    assert played(scene) == (True, {"Failed"}, [])
