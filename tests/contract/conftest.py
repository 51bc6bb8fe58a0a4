"""The adapters that the contracts hold, each as a context that gives a fresh one."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from mpijob.local import home
from mpijob.local.journal import Journal
from mpijob.local.objects import LocalObjects


@asynccontextmanager
async def _local(folder):
    journal = Journal(home.opened(folder / "home"))
    journal.listen()
    try:
        yield LocalObjects(journal)
    finally:
        journal.close()


@asynccontextmanager
async def _local_of_two_processes(folder):
    """Writes by one replica, watches and reads by another: what two commands are to each other."""
    opened = home.opened(folder / "home")
    writing, reading = Journal(opened), Journal(opened)
    reading.listen()
    try:
        writer, reader = LocalObjects(writing), LocalObjects(reading)
        writer.get, writer.watch = reader.get, reader.watch
        yield writer
    finally:
        writing.close()
        reading.close()


OBJECT_STORES = {"local": _local, "local, from another process": _local_of_two_processes}


@pytest.fixture(params=OBJECT_STORES.values(), ids=OBJECT_STORES)
def play(request, tmp_path):
    """Plays a scenario, a coroutine function of an object store, and returns what it returned."""

    def played(scenario):
        async def whole():
            async with asyncio.timeout(30), request.param(tmp_path) as objects:
                return await scenario(objects)

        return asyncio.run(whole())

    return played
