"""Run one job to its end: what the tests start as another user. JSON in, JSON out."""

import asyncio
import json
import os
import sys

from mpijob.core.plan import Kind, Ref
from mpijob.local import backend
from mpijob.local.settings import Settings, inherited


async def main():
    asked = json.loads(sys.argv[1])
    os.environ["MPIJOB_HOME"] = asked["home"]
    settings = Settings(environment=inherited(os.environ), **asked["settings"])
    told = []
    for _ in range(asked["times"]):
        async with backend.opened() as local:
            supervisor = local.create(asked["manifest"], settings)
            await supervisor.run()
            rows = supervisor.job["status"]["conditions"]
            names = [pod["metadata"]["name"] for pod in local.journal.store.list(Kind.POD)]
            log = b""
            for name in names:
                if "launcher" in name:
                    ref = Ref(Kind.POD, "default", name)
                    log += b"".join([piece async for piece in local.logs.read(ref)])
            key = Ref(Kind.MPI_JOB, "default", supervisor.job["metadata"]["name"])
            await local.objects.delete(key)
            ends = [row["type"] for row in rows if row["status"] == "True"][-1]
            told.append({"end": ends, "log": log.decode()})
    sys.stdout.write(json.dumps(told))


asyncio.run(main())
