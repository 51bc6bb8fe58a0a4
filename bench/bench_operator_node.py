"""How soon ranks run on a real node, beside the same pods made by who knows what to make.

The floor makes all objects of the job at once: its keys, hostfile and Service, its workers, and its
launcher, which waits for their sshd as ours does. Everything between that and the first rank is the
node's: containers that start, sshd, ssh and mpirun. What ours adds is the decision.
"""

import asyncio
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from harness import manifests
from harness.recipes import OWN, Pantry
from harness.unavailable import Unavailable
from measure import SETTINGS, UNTIL_DONE, NotHere, benchmark
from mpijob.core import names
from scale import load
from scale.arena import Arena, Contestant, arena, with_a_real_node
from scale.contest import Figures, contest, while_there
from scale.future import future
from scale.server import Server

FEW, MANY = 2, 16
_IMAGE = "openmpi-5"
#: Each rank says when it begins, by the clock that this process has too.
_RANK = ("mpirun", "sh", "-c", "echo began $(date +%s.%N)")
_LAUNCHER = f"{names.JOB_ROLE_LABEL}=launcher"


@cache
def _with_a_node() -> tuple[Arena, str]:
    """Return a cluster of one real node, and the image that jobs run in there."""
    try:
        image = Pantry(OWN).provided([_IMAGE])[_IMAGE]
        return UNTIL_DONE.enter_context(arena(with_a_real_node)), image
    except Unavailable as lacking:
        raise NotHere(f"no real node: {lacking}") from lacking


def _job(workers: int, image: str) -> dict[str, Any]:
    person = manifests.user(1000)
    asked = manifests.job(
        "first-rank", image, *_RANK, workers=workers, launcher=person, worker=person
    )
    asked["metadata"]["labels"] = {"bench": f"{workers}"}
    asked["spec"]["runPolicy"] = {"cleanPodPolicy": "Running"}
    return asked


def _first_rank(workers: int) -> tuple[float, float]:
    """Return after how long (s) a job of so many workers had its first rank: ours, the floor."""
    here, image = _with_a_node()
    job = _job(workers, image)
    rivals = [here.ours(), here.floor({f"{workers}": asyncio.run(future(job))})]

    async def one(contestant: Contestant, name: str) -> Figures:
        with here.namespace(name) as namespace, here.looked_after(contestant) as process:
            async with Server(here.kubeconfig, "load") as server:
                made_at = await while_there(process, load.until_succeeded(server, namespace, job))
                pods = load.PODS.format(namespace)
                found = await server.read(f"{pods}?labelSelector={_LAUNCHER}")
                [launcher] = (pod["metadata"]["name"] for pod in found["items"])
                log = (await server.ask("GET", f"{pods}/{launcher}/log")).decode()
        began = [float(line.split()[1]) for line in log.splitlines() if line.startswith("began ")]
        if len(began) != workers:
            raise RuntimeError(f"the launcher printed:\n{log}")
        return {"s": min(began) - made_at}

    name = f"operator/real-node/{workers}"
    # A node that has the image, and has made such pods before.
    asyncio.run(one(rivals[0], f"w{workers}"))
    held = asyncio.run(contest(name, rivals, SETTINGS.rounds, one))
    return held.median("ours", "s"), held.median("floor", "s")


for _count in (FEW, MANY):
    benchmark(
        f"operator/real-node/first-rank-{_count}",
        "s",
        "at most 1.15 × floor",
        lambda ours, floor: ours <= 1.15 * floor,
    )(partial(_first_rank, _count))
