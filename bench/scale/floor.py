"""The floor: a script that knows the future of every job, and asks for it as fast as it can.

It decides nothing and reads next to nothing: names and uids of the jobs that come, and whether
their launchers have begun and ended. For each job it asks for what the operator asks for: the same
objects, all at once, three writes of the status, and the deletion of the workers; 64 requests of a
job at a time, so that a small job does not wait for a large one.

    KUBECONFIG=... python -m scale.floor FUTURES.json

FUTURES.json has a `Future` for each kind of job, by the value of the job's label `bench`.
"""

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from scale.future import NAME, NAMESPACE, UID, Future
from scale.server import AT_ONCE, JSON, MERGE, Server

JOBS = "/apis/kubeflow.org/v2beta1/mpijobs"
LAUNCHERS = "/apis/batch/v1/jobs"


class _Owner(msgspec.Struct):
    uid: str


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    labels: dict[str, str] = {}
    owner_references: list[_Owner] = []


class _Status(msgspec.Struct, rename="camel"):
    active: int = 0
    completion_time: str = ""


class _Job(msgspec.Struct):
    metadata: _Meta
    status: _Status = msgspec.field(default_factory=_Status)


class _Line(msgspec.Struct):
    type: str
    object: _Job


class Script:
    """The jobs that it has met, and how far their launchers are."""

    def __init__(self, server: Server, futures: dict[str, Future]) -> None:
        self._server = server
        self._futures = futures
        self._begun: dict[str, asyncio.Event] = {}
        self._ended: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Play the future of every job that comes, for ever."""
        since = await asyncio.gather(*map(self._server.version, (JOBS, LAUNCHERS)))
        decoder = msgspec.json.Decoder(_Line)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._launchers(since[1]))
            print("ready", flush=True)
            async for line in self._server.follow(JOBS, since=since[0], metadata_only=True):
                change = decoder.decode(line)
                if change.type == "ADDED":
                    job = change.object.metadata
                    self._begun[job.uid], self._ended[job.uid] = asyncio.Event(), asyncio.Event()
                    tasks.create_task(self._play(job))

    async def _launchers(self, since: str) -> None:
        """Note of every launcher when it has begun, and when it has ended."""
        decoder = msgspec.json.Decoder(_Line)
        async for line in self._server.follow(LAUNCHERS, since=since):
            launcher = decoder.decode(line).object
            owner = launcher.metadata.owner_references[0].uid
            if launcher.status.active or launcher.status.completion_time:
                self._begun[owner].set()
            if launcher.status.completion_time:
                self._ended[owner].set()

    async def _play(self, job: _Meta) -> None:
        future = self._futures[job.labels["bench"]]
        gate = asyncio.Semaphore(AT_ONCE)

        def mine(text: str) -> str:
            known = text.replace(NAMESPACE, job.namespace).replace(NAME, job.name)
            return known.replace(UID, job.uid)

        async def ask(verb: str, path: str, text: str = "", form: str = JSON) -> None:
            async with gate:
                await self._server.ask(verb, mine(path), mine(text).encode(), form)

        async def all_of(asked: Iterable[tuple[str, str, str]]) -> None:
            await asyncio.gather(*(ask(*words) for words in asked))

        there, running, succeeded = future.statuses
        status = f"{future.job}/status"
        await ask("PATCH", status, there, MERGE)
        await all_of(("POST", made.path, made.text) for made in future.objects)
        await self._begun[job.uid].wait()
        await ask("PATCH", status, running, MERGE)
        await self._ended[job.uid].wait()
        await ask("PATCH", status, succeeded, MERGE)
        await all_of(("DELETE", path, "") for path in future.workers)


async def main(futures: dict[str, Future]) -> None:
    """Play the futures of jobs, by their label, until told to stop."""
    async with Server(Path(os.environ["KUBECONFIG"]), "floor") as server:
        await Script(server, futures).run()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=dict[str, Future])))
