"""The loads: jobs that are made, and the moments at which what was waited for had come."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from time import perf_counter, time
from typing import Any

import msgspec

from mpijob.core import names
from scale.server import AT_ONCE, Server

JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
LAUNCHERS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
WORKERS = f"{names.JOB_ROLE_LABEL}=worker"
LIMIT_S = 900


def manifest(
    name: str, workers: int, *, ever: bool = False, suspended: bool = False
) -> dict[str, Any]:
    """Return a job whose launcher, on fake nodes, ends at once and well, or never ends."""
    container = {"name": "mpi", "image": "example/mpi:1"}
    lasting = {"annotations": {"fake.mpijob.dev/runs-for": "ever"}} if ever else {}
    command = {"command": ["mpirun", "-n", str(workers), "hostname"]}
    launcher = {"metadata": lasting, "spec": {"containers": [{**container, **command}]}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name, "labels": {"bench": f"{workers}"}},
        "spec": {
            "runPolicy": {"cleanPodPolicy": "Running", "suspend": suspended},
            "mpiReplicaSpecs": {
                "Launcher": {"replicas": 1, "template": launcher},
                "Worker": {"replicas": workers, "template": {"spec": {"containers": [container]}}},
            },
        },
    }


class _Meta(msgspec.Struct):
    name: str


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []


class _Object(msgspec.Struct):
    metadata: _Meta
    status: _Status = msgspec.field(default_factory=_Status)


class _Line(msgspec.Struct):
    type: str
    object: _Object


_decode = msgspec.json.Decoder(_Line).decode


async def post(server: Server, namespace: str, jobs: Iterable[Mapping[str, Any]]) -> None:
    """Make jobs, 64 at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    path = JOBS.format(namespace)

    async def one(job: Mapping[str, Any]) -> None:
        async with gate:
            await server.ask("POST", path, msgspec.json.encode(job))

    await asyncio.gather(*map(one, jobs))


async def until_all(
    server: Server, namespace: str, jobs: list[dict[str, Any]], condition: str
) -> float:
    """Make jobs, and return after how long (s) the last of them said that `condition` is true."""
    path, asked = JOBS.format(namespace), {job["metadata"]["name"] for job in jobs}
    since = await server.version(path)
    began_at = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(post(server, namespace, jobs))
        await _until_true(server, path, asked, condition, since)
        return perf_counter() - began_at


async def until_all_rest(server: Server, namespace: str, jobs: list[dict[str, Any]]) -> None:
    """Make suspended jobs, and return once their launchers' Jobs are known to be suspended too."""
    path = LAUNCHERS.format(namespace)
    launchers = {names.launcher(job["metadata"]["name"]) for job in jobs}
    since = await server.version(path)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(until_all(server, namespace, jobs, "Suspended"))
        await _until_true(server, path, launchers, "Suspended", since)


async def _until_true(
    server: Server, path: str, asked: set[str], condition: str, since: str
) -> None:
    """Return once each of what is asked for by name, in a collection, says that a thing is so."""
    lacking = set(asked)
    async with asyncio.timeout(LIMIT_S):
        async for line in server.follow(path, since=since):
            told = _decode(line).object
            if any((row.type, row.status) == (condition, "True") for row in told.status.conditions):
                lacking.discard(told.metadata.name)
            if not lacking:
                return


async def until_succeeded(server: Server, namespace: str, job: dict[str, Any]) -> float:
    """Make a job, and return by the clock when that was, once the job has succeeded."""
    made_at = time()
    await until_all(server, namespace, [job], "Succeeded")
    return made_at


async def until_workers(server: Server, namespace: str, job: dict[str, Any]) -> float:
    """Make a job, and return after how long (s) all its workers had been created."""
    path, selector = PODS.format(namespace), _workers_of(job)
    since = await server.version(path)
    began_at = perf_counter()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(post(server, namespace, [job]))
        workers = server.follow(path, since=since, metadata_only=True, labelSelector=selector)
        await _until_told("ADDED", _worker_count(job), workers)
        return perf_counter() - began_at


def _workers_of(*jobs: dict[str, Any]) -> str:
    called = ",".join(job["metadata"]["name"] for job in jobs)
    return f"{WORKERS},{names.JOB_NAME_LABEL} in ({called})"


async def _until_told(change: str, count: int, lines: AsyncIterator[bytes]) -> None:
    """Return once a watch has told of so many changes of a kind."""
    while count:
        count -= _decode(await anext(lines)).type == change


def _worker_count(job: dict[str, Any]) -> int:
    count: int = job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"]
    return count


async def until_tidy(server: Server, namespace: str) -> None:
    """Return once no job has a worker any more."""
    path = PODS.format(namespace)
    there = await server.read(f"{path}?labelSelector={WORKERS}")
    since = there["metadata"]["resourceVersion"]
    workers = server.follow(path, since=since, metadata_only=True, labelSelector=WORKERS)
    async with asyncio.timeout(LIMIT_S):
        await _until_told("DELETED", len(there["items"]), workers)


async def small_beside_large(
    server: Server, namespace: str, large: dict[str, Any], small: Sequence[dict[str, Any]]
) -> None:
    """Make a large job, then small ones, one after the other, while its workers come.

    Each waits until those before it have all their workers.
    """
    path = PODS.format(namespace)
    since = await server.version(path)
    await post(server, namespace, [large])
    # It is under way once its first worker is there.
    first = server.follow(path, since=since, metadata_only=True, labelSelector=_workers_of(large))
    async with asyncio.timeout(LIMIT_S):
        await anext(first)
    workers = server.follow(
        path, since=since, metadata_only=True, labelSelector=_workers_of(*small)
    )
    async with asyncio.timeout(LIMIT_S):
        for job in small:
            await post(server, namespace, [job])
            await _until_told("ADDED", _worker_count(job), workers)
